// SPDX-License-Identifier: GPL-2.0-or-later
/** The daemon's unit, under a real systemd: what a reboot, a stop and a full disk leave. @module */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { authorize, bootDom0, type Dom0Machine } from "./qubes_machine.ts";

const UNIT = "qvm-remote-dom0";

const state = async (dom0: Dom0Machine): Promise<string> =>
  (await dom0.run(`systemctl is-active ${UNIT}; systemctl is-enabled ${UNIT}`)).stdout;

Deno.test("installed, authorised, enabled: a command runs, also after a reboot", async () => {
  await using dom0 = await bootDom0([{ name: "work" }]);
  assertEquals(await state(dom0), "inactive\ndisabled\n");
  await authorize(dom0, "work");
  await dom0.good("qvm-remote-dom0 enable", { input: "yes\n" });
  const ran = await dom0.inVm("work", "qvm-remote 'hostname; id -un'");
  assertEquals([ran.code, ran.stdout, ran.stderr], [0, "dom0\nroot\n", ""]);
  await dom0.good("echo OPENCLAW_VM=work >/etc/qubes/openclaw.conf");
  await dom0.good("systemctl enable --now openclaw-tunnels");
  await dom0.reboot();
  assertEquals(await state(dom0), "active\nenabled\n");
  assertEquals((await dom0.inVm("work", "qvm-remote hostname")).stdout, "dom0\n");
  assertEquals(await dom0.good("systemctl is-active openclaw-tunnels"), "active\n");
  assertMatch(await dom0.good("openclaw-tunnel status"), /18789[^]*32125|32125[^]*18789/);
});

Deno.test("only started, it is gone after a reboot; a lockdown outlives it, until unlock", async () => {
  await using dom0 = await bootDom0([{ name: "work" }]);
  await authorize(dom0, "work");
  await dom0.good(`systemctl start ${UNIT}`);
  const ran = await dom0.inVm("work", "qvm-remote hostname");
  assertEquals([ran.stdout, ran.stderr], ["dom0\n", ""]);
  await dom0.reboot();
  assertEquals(await state(dom0), "inactive\ndisabled\n");

  await dom0.good("qvm-remote-dom0 enable", { input: "yes\n" });
  await dom0.good("qvm-remote-dom0 lockdown");
  await dom0.reboot();
  assertEquals(await state(dom0), "active\nenabled\n");
  const refused = await dom0.inVm("work", "qvm-remote 'touch /run/ran'");
  assertEquals(refused.code, 126);
  assertStringIncludes(refused.stderr, "lock");
  await dom0.good("[ ! -e /run/ran ]; qvm-remote-dom0 unlock");
  assertEquals((await dom0.inVm("work", "qvm-remote hostname")).stdout, "dom0\n");
});

Deno.test("stopped in the middle of a command: interrupted, nothing is left, and the journal says it", async () => {
  await using dom0 = await bootDom0([{ name: "work" }]);
  await authorize(dom0, "work");
  await dom0.good(`systemctl start ${UNIT}`);
  const script = "echo begun; setsid sleep 4321 & sleep 1234";
  const running = dom0.inVm("work", `qvm-remote '${script}'`);
  await dom0.until("pgrep -xf 'sleep 4321' && pgrep -xf 'sleep 1234'");
  await dom0.good(`systemctl stop ${UNIT}`);
  const { stdout, stderr } = await running;
  assertEquals(stdout, "begun\n");
  assertStringIncludes(stderr, "ended in dom0: the daemon there was stopped");
  assertEquals((await dom0.run("pgrep -x sleep")).stdout, "");
  assertEquals(await dom0.good(`systemctl show -P Result ${UNIT}`), "success\n");
  const journal = await dom0.good(`journalctl -u ${UNIT} -o cat`);
  for (const word of ["STARTED version=", "CONNECTED vm=work", "ACCEPTED vm=work", "STOPPING"]) {
    assertStringIncludes(journal, word);
  }
  const key = (await dom0.good("cat /etc/qubes/remote.d/work.key")).trim();
  assert(
    key.length >= 32 && !(await dom0.good("journalctl")).includes(key),
    "a key is in the journal",
  );
});

Deno.test("a full disk: what cannot be put on record does not run, and afterwards all goes on", async () => {
  await using dom0 = await bootDom0([{ name: "work" }]);
  await authorize(dom0, "work");
  await dom0.good(`set -e
    for folder in /var/lib/qvm-remote /var/log/qubes; do
      mkdir -p $folder; cp -a $folder /tmp/kept
      mount -t tmpfs -o size=512k,mode=700 tmpfs $folder
      cp -a /tmp/kept/. $folder; rm -r /tmp/kept
    done
    systemctl start ${UNIT}`);
  assertEquals((await dom0.inVm("work", "qvm-remote hostname")).stdout, "dom0\n");
  const attempt = () => dom0.inVm("work", "qvm-remote 'echo >>/run/ran'");
  const ran = async () => Number(await dom0.good("cat /run/ran 2>/dev/null | wc -l"));
  for (const folder of ["/var/lib/qvm-remote", "/var/log/qubes"]) {
    await dom0.run(`cat /dev/zero >${folder}/fill`);
    // A file's last page has room for some records more.
    let done = await attempt();
    for (let tries = 0; done.code === 0 && tries < 40; tries++) done = await attempt();
    const count = await ran();
    assertEquals(done.code, 126, `${folder}: ${done.stderr}`);
    assertStringIncludes(done.stderr, "could not record");
    assertEquals((await attempt()).code, 126);
    assertEquals(await ran(), count, "it ran");
    assertEquals(await state(dom0), "active\ndisabled\n");
    await dom0.good(`rm ${folder}/fill`);
    const after = await dom0.inVm("work", "qvm-remote hostname");
    assertEquals([after.stdout, after.stderr], ["dom0\n", ""], folder);
  }
  assertMatch(await dom0.good("qvm-remote-dom0 audit verify"), /good|ok|unchanged|intact/i);
});
