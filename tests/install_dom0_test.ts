// SPDX-License-Identifier: GPL-2.0-or-later
/** install-dom0: for who takes no packages. @module */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { isPresent } from "../shared/io/sync_files.ts";
import { PROJECT } from "./e2e/program_flags.ts";
import { mode, tempFolder } from "./install_make.ts";

const FILES: Readonly<Record<string, number>> = {
  "usr/bin/qvm-remote-dom0": 0o755,
  "usr/lib/qubes-claw/qvm-remote-dom0.js": 0o644,
  "etc/qubes/remote.conf": 0o600,
};

interface Packed {
  readonly archive: string;
  readonly sha256: string;
}

/** An archive as "make dom0-archive" makes it, with this text in each file. */
async function pack(folder: string, text: string, more: readonly string[] = []): Promise<Packed> {
  const tree = `${folder}/packed`;
  await Deno.mkdir(`${tree}/etc/qubes/remote.d`, { recursive: true, mode: 0o755 });
  await Deno.chmod(`${tree}/etc/qubes/remote.d`, 0o700);
  for (const [path, permissions] of Object.entries(FILES)) {
    await Deno.mkdir(`${tree}/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
    await Deno.writeTextFile(`${tree}/${path}`, text);
    await Deno.chmod(`${tree}/${path}`, permissions);
  }
  const archive = `${folder}/dom0.tgz`;
  const entries = [...Object.keys(FILES), "etc/qubes/remote.d/", ...more];
  const { success, stderr } = await new Deno.Command("tar", {
    args: ["-C", tree, "--no-recursion", "-P", "-czf", archive, ...entries],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(archive));
  return { archive, sha256: new Uint8Array(digest).toHex() };
}

async function installDom0(root: string, words: readonly string[], input = "") {
  const child = new Deno.Command("sh", {
    args: [`${PROJECT}/shared/packaging/install-dom0`, ...words],
    env: { DESTDIR: root },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).catch(() => {}); // it may have ended
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

Deno.test("install-dom0: the hash, what it writes, the word yes; folders and edited files stay", async () => {
  await using folder = await tempFolder();
  const root = `${folder.path}/dom0`;
  await Deno.mkdir(`${root}/etc/qubes`, { recursive: true });
  await Deno.chmod(`${root}/etc/qubes`, 0o2775);
  const first = await pack(folder.path, "one\n");

  const wrong = await installDom0(root, [first.archive, "0".repeat(64)], "yes\n");
  assertEquals(wrong.code, 1);
  assertStringIncludes(wrong.stderr, `has the hash ${first.sha256}, not 000`);
  const unwilling = await installDom0(root, [first.archive, first.sha256], "no\n");
  assertEquals(unwilling.code, 1);
  assertMatch(unwilling.stdout, /^new +\/usr\/bin\/qvm-remote-dom0$/m);
  assertStringIncludes(unwilling.stderr, "nothing was written");
  assertEquals([...Deno.readDirSync(root)].map(({ name }) => name), ["etc"]);

  assertEquals((await installDom0(root, [first.archive, first.sha256], "yes\n")).code, 0);
  for (const [path, permissions] of Object.entries(FILES)) {
    assertEquals([path, mode(`${root}/${path}`)], [path, permissions]);
  }
  assertEquals(mode(`${root}/etc/qubes`), 0o2775);
  assertEquals(mode(`${root}/etc/qubes/remote.d`) & 0o777, 0o700);

  await Deno.writeTextFile(`${root}/etc/qubes/remote.conf`, "mine\n");
  const second = await pack(folder.path, "two\n");
  const upgraded = await installDom0(root, ["--yes", second.archive, second.sha256]);
  assertEquals(upgraded.code, 0, upgraded.stderr);
  assertMatch(upgraded.stdout, /^kept +\/etc\/qubes\/remote.conf$/m);
  assertMatch(upgraded.stdout, /^replaced +\/usr\/bin\/qvm-remote-dom0$/m);
  assertEquals(Deno.readTextFileSync(`${root}/etc/qubes/remote.conf`), "mine\n");
  assertEquals(Deno.readTextFileSync(`${root}/usr/bin/qvm-remote-dom0`), "two\n");
});

Deno.test("install-dom0: an archive with a link, a way out, or a place of others is refused", async () => {
  await using folder = await tempFolder();
  const root = `${folder.path}/dom0`;
  const tree = `${folder.path}/packed`;
  await Deno.mkdir(`${tree}/usr/lib/qubes-claw`, { recursive: true });
  await Deno.symlink("/etc/passwd", `${tree}/usr/lib/qubes-claw/link`);
  await Deno.mkdir(`${tree}/etc/qubes/policy.d`, { recursive: true });
  for (const path of ["etc/sudoers", "etc/qubes/policy.d/a b.policy", "usr/lib/other"]) {
    await Deno.writeTextFile(`${tree}/${path}`, "");
  }
  await Deno.writeTextFile(`${folder.path}/outside`, "");
  const bad = [
    ...["usr/lib/qubes-claw/link", "etc/sudoers", "etc/qubes/policy.d/a b.policy"],
    ...["usr/lib/other", "usr/lib/../../../outside"],
  ];
  for (const entry of bad) {
    const { archive, sha256 } = await pack(folder.path, "one\n", [entry]);
    const { code, stderr } = await installDom0(root, ["--yes", archive, sha256]);
    assertEquals([entry, code], [entry, 1], stderr);
    assertMatch(stderr, /no file and no folder|does not belong into dom0/);
    assertEquals(isPresent(root), false, entry);
  }
  assertEquals((await installDom0(root, ["alone"])).code, 2);
  const none = await installDom0(root, ["--uninstall"]);
  assertEquals([none.code, none.stderr.includes("there is no")], [1, true]);
});
