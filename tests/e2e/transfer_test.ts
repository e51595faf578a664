// SPDX-License-Identifier: GPL-2.0-or-later
/** push and pull: files and folders, whole and as they were, within the paths of the policy. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { isPresent } from "../../shared/io/sync_files.ts";
import { sha256Hex } from "../../shared/io/sha256.ts";
import { install, type Installed } from "./installed.ts";

const VM = "work";

function random(bytes: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65536) crypto.getRandomValues(data.subarray(at, at + 65536));
  return data;
}

function put(path: string, data: Uint8Array | string, mode = 0o644, seconds = 1e9): void {
  Deno.writeFileSync(path, typeof data === "string" ? new TextEncoder().encode(data) : data);
  Deno.chmodSync(path, mode);
  Deno.utimeSync(path, seconds, seconds);
}

/** Permissions, time and content. */
function look(path: string): readonly unknown[] {
  const { mode, mtime } = Deno.lstatSync(path);
  return [(mode ?? 0) & 0o777, mtime?.getTime(), sha256Hex(Deno.readFileSync(path))];
}

const names = (folder: string): string[] =>
  [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

interface Scene {
  readonly qubes: Installed;
  /** In dom0: what the policy allows. */
  readonly srv: string;
  /** In the VM. */
  readonly here: string;
}

async function open(): Promise<Scene & AsyncDisposable> {
  const qubes = await install([{ name: VM }]);
  const { world } = qubes;
  const srv = `${Deno.realPathSync(world.folder)}/srv`;
  const here = `${world.vmHome(VM)}/files`;
  for (const folder of [srv, `${srv}/agents`, `${srv}/asked`, here]) Deno.mkdirSync(folder);
  await qubes.authorize(VM, "--grant", "monitor");
  await Deno.writeTextFile(
    `${world.dom0Root}/etc/qubes/remote-policy.d/10-files.policy`,
    `file.* ${VM} ${srv}/agents/* allow\nfile.* ${VM} ${srv}/asked/* ask\n`,
  );
  await qubes.startDaemon([VM]);
  return { qubes, srv, here, [Symbol.asyncDispose]: () => qubes[Symbol.asyncDispose]() };
}

Deno.test("files go to dom0 and come back as they were", async (t) => {
  await using scene = await open();
  const { qubes, srv, here } = scene;
  const run = (...words: string[]) => qubes.client(VM, words);
  const dom0 = `${srv}/agents`;

  await t.step(
    "a file: every byte, its mode and its time; and nothing is left of the way",
    async () => {
      put(`${here}/data`, random(9_000_000), 0o640);
      const { code, stderr } = await run("push", `${here}/data`, `${dom0}/data`);
      assertEquals([code, stderr], [0, ""]);
      assertEquals(look(`${dom0}/data`), look(`${here}/data`));
      assertEquals((await run("pull", `${dom0}/data`, `${here}/back`)).stderr, "");
      assertEquals(look(`${here}/back`), look(`${here}/data`));
      assertEquals([names(dom0), names(here)], [["data"], ["back", "data"]]);
      const queue = `${qubes.world.vmHome(VM)}/.qvm-remote/queue`;
      for (const folder of ["payloads", "results", "running"]) {
        assertEquals(names(`${queue}/${folder}`), [], folder);
      }
      assertEquals(names(`${qubes.world.dom0Root}/var/lib/qvm-remote/payloads`), []);
    },
  );

  await t.step(
    "what is there is not replaced without --force, and the same is left alone",
    async () => {
      put(`${here}/other`, "other\n");
      const push = await run("push", `${here}/other`, `${dom0}/data`);
      assertEquals(push.code, 1);
      assertStringIncludes(push.stderr, "there is something of that name");
      const same = await run("push", "--json", `${here}/data`, `${dom0}/data`);
      assertEquals(same.code, 0, same.stderr);
      assertEquals(JSON.parse(same.stdout).files[0].result, "unchanged");
      assertEquals((await run("push", "--force", `${here}/other`, `${dom0}/data`)).code, 0);
      assertEquals(Deno.readTextFileSync(`${dom0}/data`), "other\n");
      const pull = await run("pull", `${dom0}/data`, `${here}/back`);
      assertEquals(pull.code, 1);
      assertStringIncludes(pull.stderr, "there is something");
      assertEquals((await run("pull", "--force", `${dom0}/data`, `${here}/back`)).code, 0);
      assertEquals(Deno.readTextFileSync(`${here}/back`), "other\n");
    },
  );

  await t.step("folders, with what no name should stop; links are named and left out", async () => {
    const tree = `${here}/a tree`;
    for (const folder of ["", "/sub", "/sub/deep", "/empty"]) Deno.mkdirSync(tree + folder);
    put(`${tree}/sub/-rf $(id) 'é'`, "one\n", 0o755);
    put(`${tree}/sub/deep/empty`, "");
    Deno.symlinkSync("/etc/passwd", `${tree}/link`);
    const { code, stderr } = await run("push", tree, `${dom0}/`);
    assertEquals(code, 1);
    assertStringIncludes(stderr, 'link": not copied: it is a link');
    for (const file of ["sub/-rf $(id) 'é'", "sub/deep/empty"]) {
      assertEquals(look(`${dom0}/a tree/${file}`), look(`${tree}/${file}`), file);
    }
    assertEquals(names(`${dom0}/a tree`), ["empty", "sub"]);
    Deno.symlinkSync("/etc/shadow", `${dom0}/a tree/shadow`);
    const back = await run("pull", `${dom0}/a tree`, `${here}/again`);
    assertEquals(back.code, 1, back.stderr);
    assertStringIncludes(back.stderr, 'shadow": not copied: it is a link');
    assertEquals(names(`${here}/again`), ["empty", "sub"]);
    assertEquals(look(`${here}/again/sub/-rf $(id) 'é'`), look(`${tree}/sub/-rf $(id) 'é'`));
  });

  await t.step(
    "a pull that broke goes on where it ended, and a wrong part is not taken",
    async () => {
      const data = random(500_000);
      put(`${dom0}/long`, data);
      const part = `${here}/.long.qvm-remote-part`;
      put(part, data.slice(0, 200_000), 0o600);
      assertEquals((await run("pull", `${dom0}/long`, `${here}/long`)).code, 0);
      assertEquals(look(`${here}/long`), look(`${dom0}/long`));
      put(part, random(200_000), 0o600);
      const wrong = await run("pull", `${dom0}/long`, `${here}/long2`);
      assertEquals(wrong.code, 0, "a part of another name is not its own");
      put(`${here}/.long3.qvm-remote-part`, random(200_000), 0o600);
      const bad = await run("pull", `${dom0}/long`, `${here}/long3`);
      assertEquals(bad.code, 1);
      assertStringIncludes(bad.stderr, "it was changed while it was read");
      assertEquals(isPresent(`${here}/long3`), false);
      assertEquals((await run("pull", `${dom0}/long`, `${here}/long3`)).code, 0);
    },
  );

  await t.step("outside the paths of the policy nothing is read, written or named", async () => {
    Deno.writeTextFileSync(`${srv}/secret`, "secret\n");
    Deno.symlinkSync(`${srv}/secret`, `${dom0}/way out`);
    for (
      const words of [
        ["pull", `${srv}/secret`, `${here}/stolen`],
        ["pull", `${dom0}/way out`, `${here}/stolen`],
        ["pull", "/etc/hostname", `${here}/stolen`],
        ["push", `${here}/other`, `${srv}/new`],
        ["push", "--force", `${here}/other`, `${dom0}/way out`],
        ["push", `${here}/other`, `${srv}/agents2`],
      ]
    ) {
      const { code, stdout, stderr } = await run(...words);
      assert(code !== 0, words.join(" "));
      assertEquals((stdout + stderr).includes("secret\n"), false);
    }
    for (const path of [`${dom0}/../secret`, "relative", `${dom0}//x`, `${dom0}/a\nb`]) {
      const { code, stderr } = await run("pull", path, `${here}/stolen`);
      assertEquals(code, 2, path);
      assertStringIncludes(stderr, "not a path of dom0");
      const op = await run("op", "file.read", `path=${path}`);
      assertEquals(op.code, 126, path);
    }
    assertEquals(isPresent(`${here}/stolen`), false);
    assertEquals(Deno.readTextFileSync(`${srv}/secret`), "secret\n");
    assertEquals(names(srv), ["agents", "asked", "secret"]);
  });

  await t.step("what the policy asks about waits for a person, who sees it", async () => {
    const child = qubes.spawnClient(VM, ["push", `${here}/other`, `${srv}/asked/new`]);
    let shown = "";
    while (!shown.includes("file.write")) shown = (await qubes.dom0(["show", "1"])).stdout;
    assertStringIncludes(shown, `targets   ${srv}/asked/new\n`);
    assertStringIncludes(shown, "text, 6 bytes, SHA-256 ");
    assertStringIncludes(shown, "     | other\n");
    assertEquals((await qubes.dom0(["approve", "--yes", "1"])).code, 0);
    assertEquals((await child.output()).code, 0);
    assertEquals(Deno.readTextFileSync(`${srv}/asked/new`), "other\n");
  });

  await t.step("what is wrong here is said, and nothing is sent", async () => {
    const none = await run("push", `${here}/nothing`, `${dom0}/x`);
    assertEquals(none.code, 1);
    assertStringIncludes(none.stderr, "nothing");
    const many = await run("push", `${here}/other`, `${here}/data`, `${dom0}/x`);
    assertEquals(many.code, 1);
    assertStringIncludes(many.stderr, "several files go into a folder: end");
  });
});
