// SPDX-License-Identifier: GPL-2.0-or-later
/** The optional watchdog and the panel's line, under a real systemd. @module */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { authorize, bootDom0, type Dom0Machine } from "./qubes_machine.ts";

const WEB = "qubes-global-admin-web";
const DAEMON = "qvm-remote-dom0";

const active = async (dom0: Dom0Machine): Promise<string> =>
  (await dom0.run(`systemctl is-active ${WEB}`)).stdout.trim();

/** Kills it until systemd gives up. */
const giveUp = (dom0: Dom0Machine): Promise<void> =>
  dom0.until(
    `systemctl kill -s KILL ${WEB} 2>/dev/null; [ "$(systemctl is-active ${WEB})" = failed ]`,
  );

Deno.test("what failed and is enabled starts again; what was stopped, disabled or locked down does not", async () => {
  await using dom0 = await bootDom0([{ name: "work" }]);
  const look = (): Promise<string> => dom0.good("systemctl start qubes-claw-watchdog.service");
  await dom0.good("systemctl enable --now qubes-claw-watchdog.timer");
  await dom0.good(`systemctl enable --now ${WEB}`);
  await giveUp(dom0);
  await look();
  await dom0.until(`systemctl is-active --quiet ${WEB}`);

  await dom0.good(`systemctl stop ${WEB}`);
  await look();
  assertEquals(await active(dom0), "inactive");

  await dom0.good(`systemctl start ${WEB}`);
  await giveUp(dom0);
  await dom0.good("touch /etc/qubes/remote.lockdown");
  await look();
  assertEquals(await active(dom0), "failed", "a lockdown stops the watchdog too");
  await dom0.good(`rm /etc/qubes/remote.lockdown; systemctl disable ${WEB}`);
  await look();
  assertEquals(await active(dom0), "failed", "it is not enabled any more");
});

Deno.test("every user's panel shows how the daemon is", async () => {
  await using dom0 = await bootDom0([{ name: "work" }]);
  const panel = (): Promise<string> =>
    dom0.good("setpriv --reuid 65534 --clear-groups /usr/lib/qubes-claw/qubes-global-admin-panel");
  assertMatch(await panel(), /does not run/);
  await authorize(dom0, "work");
  await dom0.good(`systemctl start ${DAEMON}`);
  assertMatch(await panel(), /qvm-remote-dom0 runs/);
  await dom0.good("qvm-remote-dom0 lockdown");
  await dom0.until("grep -q locked /run/qvm-remote-panel/state");
  assertMatch(await panel(), /Locked down/);
  await dom0.good(`systemctl kill -s KILL ${DAEMON}; systemctl stop ${DAEMON}`);
  assertStringIncludes(await panel(), "does not run");
});
