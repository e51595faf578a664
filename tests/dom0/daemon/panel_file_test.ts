// SPDX-License-Identifier: GPL-2.0-or-later
/** What the desktop's panel is told, and shows. @module */

import { assertEquals, assertMatch } from "@std/assert";
import { createPanelFile, panelLine, type PanelState } from "../../../dom0/daemon/panel_file.ts";
import { PROJECT } from "../../e2e/program_flags.ts";
import { withFolder } from "../fixture.ts";

const STATE: PanelState = { pid: Deno.pid, lockdown: false, problems: [], parked: 0 };

Deno.test("the line: running, in trouble, locked down; and how many wait", () => {
  assertEquals(panelLine({ ...STATE, pid: 7, parked: 3 }), "7 running 3");
  assertEquals(panelLine({ ...STATE, pid: 7, problems: ["x"] }), "7 trouble 0");
  assertEquals(panelLine({ ...STATE, pid: 7, problems: ["x"], lockdown: true }), "7 locked 0");
});

Deno.test("every user may read it, whatever the daemon's umask, and nothing beside it", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/panel/state`;
    const umask = Deno.umask(0o077);
    try {
      await createPanelFile(path, 0, () => STATE).write();
    } finally {
      Deno.umask(umask);
    }
    const [file, around] = [await Deno.stat(path), await Deno.stat(`${folder}/panel`)];
    assertEquals([(file.mode ?? 0) & 0o777, (around.mode ?? 0) & 0o777], [0o644, 0o755]);
    assertEquals(await Deno.readTextFile(path), `${Deno.pid} running 0\n`);
  });
});

/** What XFCE's monitor gets from the script where the file says this; null: there is none. */
async function shown(line: string | null): Promise<string> {
  let printed = "";
  await withFolder(async (root) => {
    await Deno.mkdir(`${root}/run/qvm-remote-panel`, { recursive: true });
    if (line !== null) await Deno.writeTextFile(`${root}/run/qvm-remote-panel/state`, line);
    const { success, stdout, stderr } = await new Deno.Command("/bin/sh", {
      args: [`${PROJECT}/dom0/packaging/qubes-global-admin-panel`],
      clearEnv: true,
      env: { QUBES_CLAW_ROOT: root, PATH: "/nonexistent" }, // no other program is needed
    }).output();
    assertEquals([success, new TextDecoder().decode(stderr)], [true, ""]);
    printed = new TextDecoder().decode(stdout);
  });
  return printed;
}

Deno.test("the panel has a shape and a word for each state, the number that waits, and a click that opens it", async () => {
  const own = Deno.pid;
  const waiting = await shown(`${own} running 3\n`);
  assertMatch(waiting, /●<\/span> <b>3<\/b><\/txt>/);
  assertMatch(waiting, /<tool>qvm-remote-dom0 runs; 3 waiting for you<\/tool>/);
  assertMatch(waiting, /<txtclick>qubes-global-admin-web open \/approvals<\/txtclick>/);
  const quiet = await shown(`${own} running 0\n`);
  assertMatch(quiet, /●<\/span><\/txt>/);
  assertMatch(quiet, /<txtclick>qubes-global-admin-web open<\/txtclick>/);
  assertMatch(await shown(`${own} locked 0\n`), /■.*Locked down/s);
  assertMatch(await shown(`${own} trouble 0\n`), /▲.*see the Dashboard/s);
});

Deno.test("a daemon that was killed does not run, and nothing of a file but its words is shown", async () => {
  const off = await shown(null);
  assertMatch(off, /○.*does not run/s);
  const files = [
    "",
    "4194305 running 3\n", // above the largest process number
    "$(id) running 3\n",
    "../1 running 3\n",
    `${Deno.pid} <b>x</b> </txt>\n`.replace(`${Deno.pid}`, "-1"),
  ];
  for (const file of files) assertEquals(await shown(file), off, file);
  const odd = await shown(`${Deno.pid} running $(id)\n`);
  assertEquals(odd, await shown(`${Deno.pid} running 0\n`), "a number is digits");
  assertEquals(await shown(`${Deno.pid} running 12345\n`), odd, "and a short one");
});
