// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Limits of memory and processes, by a kernel that has every controller of cgroup 2, and that may
 * be brought to its knees. One boot for all: a command takes seconds here.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { bootKernel } from "../kernel_machine.ts";
import { authorize, bootDom0, vmShell } from "../qubes_machine.ts";

const CGROUP = "/sys/fs/cgroup/system.slice/qvm-remote-dom0.service";

Deno.test("with every controller the kernel holds the limits", async (test) => {
  await using prepared = await bootDom0([{ name: "work" }]);
  await authorize(prepared, "work");
  await prepared.good("qvm-remote-dom0 enable", { input: "yes\n" });
  await using dom0 = await bootKernel(prepared);
  const inVm = vmShell(dom0);

  await test.step("a command runs, in a cgroup with both controllers", async () => {
    await dom0.until("systemctl is-active qvm-remote-dom0");
    const { stdout, stderr } = await inVm(
      "work",
      "qvm-remote 'sed -n s/^0:://p /proc/self/cgroup'",
    );
    assertStringIncludes(stdout, "/qvm-remote-dom0.service/commands/", stderr);
    assertEquals(
      await dom0.good(`cat ${CGROUP}/commands/cgroup.subtree_control`),
      "memory pids\n",
    );
  });
});
