// SPDX-License-Identifier: GPL-2.0-or-later
/** An agent that tries to get out of the paths that the policy gives it: nothing outside is read, written or named. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { install, readAudit } from "./installed.ts";
import { connectAgent } from "./mcp_scene.ts";

const VM = "agent";
const SECRET = "not for agents";

Deno.test("an agent whose paths are tricks", async (t) => {
  await using qubes = await install([{ name: VM }]);
  const { world } = qubes;
  const srv = `${Deno.realPathSync(world.folder)}/srv`;
  const own = `${srv}/agents`;
  for (const folder of [srv, own, `${srv}/other`]) Deno.mkdirSync(folder);
  for (const path of [`${srv}/secret`, `${srv}/other/secret`]) Deno.writeTextFileSync(path, SECRET);
  Deno.symlinkSync(`${srv}/secret`, `${own}/link`);
  Deno.symlinkSync(`${srv}/other`, `${own}/folder`);
  Deno.symlinkSync("/proc/self", `${own}/self`);
  await qubes.authorize(VM, "--grant", "monitor");
  await Deno.writeTextFile(
    `${world.dom0Root}/etc/qubes/remote-policy.d/10-files.policy`,
    `file.* ${VM} ${own}/* allow\n`,
  );
  const daemon = await qubes.startDaemon([VM]);
  await using agent = await connectAgent(qubes, VM);
  const outside = () =>
    [srv, `${srv}/other`].map((folder) =>
      [...Deno.readDirSync(folder)].map(({ name }) => name).sort()
    );
  const before = outside();
  /** How many of its operations on files succeeded. */
  const done = (): number => {
    const records = readAudit(world);
    const accepted = new Set(
      records.filter(({ event }) => event === "accepted").map(({ id }) => id),
    );
    return records.filter(({ event, id, exit }) =>
      event === "done" && exit === 0 && accepted.has(id)
    ).length;
  };

  await t.step("none leads out, whatever tool takes it", async () => {
    const paths = [
      "",
      "secret",
      "/etc/shadow",
      `${srv}/secret`,
      `${srv}/agents2`,
      `${own}/../secret`,
      `${own}/./x`,
      `${own}//x`,
      `${own}/x/`,
      `${own}/link`,
      `${own}/folder/secret`,
      `${own}/self/environ`,
      "/proc/self/environ",
      "/proc/self/root/etc/shadow",
      "/dev/stdin",
      `${own}/a\nb`,
      `${own}/a\0b`,
      `${own}/\ud800`,
      `${own}/${"x".repeat(300)}`,
      `/${"x/".repeat(3000)}x`,
      "--help",
      "-",
    ];
    const calls = (path: string): readonly (readonly [string, Record<string, unknown>])[] => [
      ["file_read", { path }],
      ["file_write", { path, content: "written", replace: true }],
      ["file_write", { path, content: "written" }],
      ["operation_call", { name: "file.list", values: { path } }],
      ["operation_call", { name: "file.stat", values: { path, hash: "true" } }],
      ["operation_call", { name: "file.mkdir", values: { path } }],
    ];
    for (const [index, path] of paths.entries()) {
      // The policy lets these through, and the links stop them. After 32 refusals dom0 hangs up.
      const isLink = [`${own}/link`, `${own}/folder/secret`, `${own}/self/environ`].includes(path);
      const all = calls(path);
      for (const [name, args] of all.filter((_, at) => isLink || at === index % all.length)) {
        if (isLink && args["name"] === "file.stat" && path === `${own}/link`) continue; // it is one
        const { isError, text, said } = await agent.call(name, args);
        assert(isError, `${name} ${JSON.stringify(args).slice(0, 200)}: ${text}`);
        assert(!(text + JSON.stringify(said)).includes(SECRET), path);
      }
    }
    assertEquals(outside(), before);
    assertEquals(Deno.readTextFileSync(`${srv}/secret`), SECRET);
    assertEquals(Deno.readTextFileSync(`${srv}/other/secret`), SECRET);
  });

  await t.step("what reached dom0 is on record, and none of it was done", () => {
    const records = readAudit(world).filter(({ vm }) => vm === VM);
    const refused = records.filter(({ event }) => event === "refused");
    assert(refused.length > 10, `${refused.length}`);
    assertEquals(done(), 0);
  });

  await t.step("a link that comes and goes is never followed", async () => {
    const path = `${own}/swapped`;
    let isOver = false;
    const swapping = (async () => {
      for (let round = 0; !isOver; round++) {
        if (round % 2 === 0) Deno.writeTextFileSync(`${path}.new`, "mine");
        else Deno.symlinkSync(`${srv}/secret`, `${path}.new`);
        Deno.renameSync(`${path}.new`, path);
        await new Promise((resolve) => setTimeout(resolve));
      }
    })();
    let read = 0;
    for (let round = 0; round < 30; round++) {
      const { isError, text, said } = await agent.call("file_read", { path });
      assert(!(text + JSON.stringify(said)).includes(SECRET));
      if (!isError) {
        assert(["mine", "written"].includes(String(said["untrustedOutput"])), JSON.stringify(said));
        read++;
      } else assertStringIncludes(text, "failed");
      await agent.call("file_write", { path, content: "written", replace: true });
    }
    isOver = true;
    await swapping;
    assert(read > 0 && done() >= read);
    assertEquals(Deno.readTextFileSync(`${srv}/secret`), SECRET);
    assertEquals(outside(), before);
  });
  assertEquals((await agent.leave()).code, 0);
  await daemon.stop();
});
