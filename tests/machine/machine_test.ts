// SPDX-License-Identifier: GPL-2.0-or-later
/** The test bed itself. @module */

import { assert, assertEquals } from "@std/assert";
import { bootMachine } from "./machine.ts";

Deno.test("a machine boots, runs commands, reboots, and powers itself off", async () => {
  await using machine = await bootMachine();
  const firstBoot = await machine.good("cat /proc/sys/kernel/random/boot_id");
  assertEquals(await machine.good("cat /proc/1/comm; hostname; id -un"), "systemd\ndom0\nroot\n");
  const ended = await machine.run("echo out; echo err >&2; exit 7");
  assertEquals(ended, { code: 7, stdout: "out\n", stderr: "err\n" });
  assertEquals(await machine.good("id -un; cat", { user: "user", input: "in" }), "user\nin");
  await machine.good("touch /var/kept /run/lost");
  await machine.reboot();
  assert(await machine.good("cat /proc/sys/kernel/random/boot_id") !== firstBoot, "the same boot");
  assertEquals(await machine.good("ls /var/kept /run/lost 2>/dev/null || true"), "/var/kept\n");
  await machine.powerOff();
  await machine.powerOn();
  assertEquals(await machine.good("ls /var/kept"), "/var/kept\n");
  assertEquals(await machine.good("systemctl list-units --failed --no-legend"), "");
});
