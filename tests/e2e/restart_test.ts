// SPDX-License-Identifier: GPL-2.0-or-later
/** restart: nothing new begins from when nothing runs, and no request is lost by it. @module */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { finish, install, readAudit, until } from "./installed.ts";

Deno.test("restart waits for what runs, and what comes meanwhile waits for it, or for its end", async () => {
  await using qubes = await install([{ name: "work" }]);
  const { world } = qubes;
  const units = `${world.dom0Root}/usr/lib/systemd/system`;
  await Deno.mkdir(units, { recursive: true });
  await Deno.writeTextFile(`${units}/qvm-remote-dom0.service`, "");
  await qubes.authorize("work");
  const daemon = await qubes.startDaemon(["work"]);
  const marks = `${world.dom0Root}/marks`;
  await Deno.mkdir(marks);
  const isMarked = (name: string): boolean =>
    [...Deno.readDirSync(marks)].some((one) => one.name === name);
  const count = (event: string): number =>
    readAudit(world).filter((one) => one.event === event).length;
  const command = (name: string): Promise<unknown> => {
    const script = `touch ${marks}/${name}; while [ ! -e ${marks}/go ]; do sleep 0.05; done`;
    return qubes.client("work", ["-c", script]);
  };
  const [first, second] = [command("first"), Promise.withResolvers<unknown>()];
  await until("it runs", () => isMarked("first"));

  // Killed on its way, a restart holds nothing back any more.
  const killed = qubes.spawnDom0(["restart"]);
  await until("the daemon drains", () => count("draining") === 1);
  void command("second").then(second.resolve);
  await until("the second request is in dom0", () => isSent(world.vmRoot("work")));
  assertEquals(isMarked("second"), false);
  killed.kill("SIGKILL");
  await killed.output();
  await until("it begins after all", () => isMarked("second"));

  const restarting = finish(qubes.spawnDom0(["restart"]));
  await until("the daemon drains again", () => count("draining") === 2);
  const third = qubes.client("work", ["echo", "whole"]);
  await Deno.writeTextFile(`${marks}/go`, "");
  const { code, stdout, stderr } = await restarting;
  assertEquals([code, stderr], [0, ""], stdout);
  assertStringIncludes(stdout, "Waits for the end of:\n  work ");
  assertStringIncludes(stdout, "Restarted qvm-remote-dom0.service.");
  // The simulated systemd restarts nothing: the same daemon takes up again what waited.
  const ended = { code: 0, stdout: "", stderr: "" };
  assertEquals(await Promise.all([first, second.promise, third]), [ended, ended, {
    ...ended,
    stdout: "whole\n",
  }]);
  assertEquals(await daemon.stop(), 0);
  const none = await qubes.dom0(["restart"]);
  assertEquals([none.code, none.stderr.split("\n")[0]], [
    1,
    "qvm-remote-dom0: error: the daemon does not run",
  ]);
});

/** Whether both requests have left the VM's queue. */
function isSent(root: string): boolean {
  const running = `${root}/home/user/.qvm-remote/queue/running`;
  return [...Deno.readDirSync(running)].filter(({ name }) => !name.startsWith(".")).length === 2;
}
