// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Limits of memory and processes, by a kernel that has every controller of cgroup 2, and that may
 * be brought to its knees. One boot for all: a command takes seconds here.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { bootKernel } from "../kernel_machine.ts";
import { authorize, bootDom0, vmShell } from "../qubes_machine.ts";

const MIB = 1024 * 1024;
const CONFIG = `
QVM_REMOTE_MAX_PROCESSES="64"
QVM_REMOTE_MAX_MEMORY="${160 * MIB}"
QVM_REMOTE_TOTAL_MEMORY="${480 * MIB}"
`;
const DAEMON = "systemctl show --value -p MainPID,NRestarts qvm-remote-dom0";

Deno.test("with every controller the kernel holds the limits", async (test) => {
  await using prepared = await bootDom0([{ name: "work" }]);
  await authorize(prepared, "work");
  await prepared.good("cat >>/etc/qubes/remote.conf", { input: CONFIG });
  await prepared.good("qvm-remote-dom0 enable", { input: "yes\n" });
  await using dom0 = await bootKernel(prepared);
  const inVm = vmShell(dom0);
  await dom0.until("systemctl is-active qvm-remote-dom0");
  const daemon = await dom0.good(DAEMON);

  await test.step("each command has a cgroup of its own, with both limits", async () => {
    const script = "cd /sys/fs/cgroup/$(sed -n s/^0:://p /proc/self/cgroup); " +
      "cat pids.max memory.max ../cgroup.subtree_control";
    const { stdout, stderr } = await inVm("work", `qvm-remote '${script}'`);
    assertEquals(stdout, `64\n${160 * MIB}\nmemory pids\n`, stderr);
    const { limits } = JSON.parse(await dom0.good("qvm-remote-dom0 status --json"));
    assertEquals([limits.processes, limits.memory], ["kernel", "kernel"]);
  });

  await test.step("a fork bomb is ended, and takes nobody with it", async () => {
    const { code, stderr } = await inVm(
      "work",
      "qvm-remote 'bomb() { bomb | bomb & }; bomb; while :; do :; done'",
    );
    assertEquals(code, 137, stderr);
    assertStringIncludes(stderr, "more processes than 64, dom0's limit");
    assert(Number(await dom0.good("ps -e --no-headers | wc -l")) < 200, "it goes on");
  });

  await test.step("memory that runs out in the middle of a pipeline is said", async () => {
    const hog = "head -c 1G /dev/zero | tail | wc -c; echo not reached";
    const { code, stdout, stderr } = await inVm("work", `qvm-remote '${hog}'`);
    assertEquals([code, stdout], [137, ""], stderr);
    assertStringIncludes(stderr, "more memory than 160 MiB, dom0's limit");
  });

  await test.step("what commands leave in /dev/shm counts, and never ends the daemon", async () => {
    const leave = (name: number) => `qvm-remote 'head -c 90M /dev/zero >/dev/shm/left-${name}'`;
    for (const name of [1, 2, 3, 4]) {
      const { code, stderr } = await inVm("work", leave(name));
      assertEquals(code, 0, stderr);
    }
    const { stdout, stderr } = await inVm("work", "qvm-remote 'echo on; rm /dev/shm/left-*'");
    assertEquals(stdout, "on\n", stderr);
    assertEquals(await dom0.good(DAEMON), daemon, "another daemon runs");
  });
});
