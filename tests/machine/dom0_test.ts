// SPDX-License-Identifier: GPL-2.0-or-later
/** The daemon's unit, under a real systemd. @module */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { authorize, bootDom0 } from "./qubes_machine.ts";

Deno.test("installed, authorised, enabled: a command runs, also after a reboot", async () => {
  await using dom0 = await bootDom0([{ name: "work" }]);
  assertEquals((await dom0.run("systemctl is-enabled qvm-remote-dom0")).stdout, "disabled\n");
  await authorize(dom0, "work");
  await dom0.good("qvm-remote-dom0 enable", { input: "yes\n" });
  const ran = await dom0.inVm("work", "qvm-remote 'hostname; id -un'");
  assertEquals([ran.code, ran.stdout, ran.stderr], [0, "dom0\nroot\n", ""]);
  await dom0.reboot();
  assertEquals((await dom0.run("systemctl is-active qvm-remote-dom0")).stdout, "active\n");
  assertEquals((await dom0.inVm("work", "qvm-remote hostname")).stdout, "dom0\n");
  assertStringIncludes(await dom0.good("journalctl -u qvm-remote-dom0 -o cat"), "work");
});
