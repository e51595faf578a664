// SPDX-License-Identifier: GPL-2.0-or-later
/** From the Python original to this project and back, under a systemd that is real. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { makeAuthKeyText, parseAuthKey } from "../../shared/protocol/auth_key.ts";
import { installOriginalDom0, installOriginalVm, ORIGINAL_UNITS, treeOf } from "../original.ts";
import { commandsOf } from "../e2e/typing.ts";
import type { Machine } from "./machine.ts";
import { bootDom0, type Dom0Machine, installInto } from "./qubes_machine.ts";

const KEY = makeAuthKeyText();
const UNITS = Object.keys(ORIGINAL_UNITS).map((path) => path.slice(path.lastIndexOf("/") + 1))
  .filter((unit) => unit !== "qubes-admin-watchdog.service");
const PROGRAMS = ["/usr/bin/qvm-remote-dom0", "/usr/bin/qubes-global-admin-web"];

/** Where the README has its lines typed: "before" this project is installed, in dom0, in a VM. */
const PLACES: Readonly<Record<string, string>> = {
  "# in dom0, before you install: the programs have the same names, and you may want to go back":
    "before",
  "# install as above, steps 1 and 2, without a new key; then in dom0:": "dom0",
  "# in each VM:": "work",
  "# in dom0:": "dom0",
};
const README = await commandsOf(
  { page: "README.md", heading: "Coming from the Python original" },
  PLACES,
);

/** Does nothing for ever, under the command line that Python's process would have. */
const PYTHON = '#!/usr/bin/perl\n$0 = "/usr/bin/python3 $ARGV[0]"; sleep 1000 while 1;\n';

/** The original, enabled and running; then this project's programs over it, as the README says. */
async function installOver(machine: Machine): Promise<void> {
  await machine.good("cat >/usr/bin/python3 && chmod 755 /usr/bin/python3", { input: PYTHON });
  await installOriginalDom0(machine.root(), { keys: { work: KEY } });
  await machine.good(`systemctl daemon-reload && systemctl enable --now ${UNITS.join(" ")}`);
  for (const { place, text } of README) if (place === "before") await machine.good(text);
  await installInto(machine, "install-dom0 FORM=compiled", "");
}

async function stateOf(machine: Machine): Promise<readonly string[]> {
  const { stdout } = await machine.run(
    UNITS.map((unit) => `systemctl is-active ${unit}; systemctl is-enabled ${unit}`).join("\n"),
  );
  return stdout.trim().split("\n");
}

/** Which program a unit runs. */
async function runsAs(machine: Machine, unit: string): Promise<string> {
  return await machine.good(
    `tr '\\0' ' ' </proc/$(systemctl show --property=MainPID --value ${unit})/cmdline`,
  );
}

const filesOf = (machine: Machine): readonly ReadonlyMap<string, string>[] =>
  ["/etc/systemd/system", "/etc/xdg", "/etc/qubes", "/usr/share/applications"].map((path) =>
    treeOf(machine.root() + path)
  );

/** A command of the VM that is asked about; somebody approves it. */
async function askedAndRun(dom0: Dom0Machine): Promise<string> {
  const running = dom0.inVm("work", "qvm-remote -c 'echo $((6 * 7))'");
  await dom0.until("qvm-remote-dom0 pending | grep -q work");
  const [{ number }] = JSON.parse(await dom0.good("qvm-remote-dom0 pending --json"));
  await dom0.good(`qvm-remote-dom0 approve ${number} --yes`);
  const { code, stdout, stderr } = await running;
  assertEquals(code, 0, stderr);
  return stdout;
}

Deno.test("migrate: the original's units end, this project's runs with its key, and back", async (t) => {
  await using dom0 = await bootDom0([{ name: "work" }], { install: installOver });
  const home = `${dom0.root()}/var/lib/qsim/vms/work/home/user`;
  await installOriginalVm(home, { key: KEY, folder: ".qubes-remote" });
  const { fingerprint } = await parseAuthKey(KEY);
  const on = UNITS.flatMap(() => ["active", "enabled"]);
  const off = UNITS.flatMap(() => ["inactive", "disabled"]);
  const before = filesOf(dom0);
  assertEquals(await stateOf(dom0), on);

  await t.step("without --apply nothing is changed", async () => {
    const said = await dom0.good("qvm-remote-dom0 migrate");
    assertStringIncludes(said, `key of work: ${fingerprint}`);
    assertEquals([await stateOf(dom0), filesOf(dom0)], [on, before]);
    assertStringIncludes(await runsAs(dom0, "qvm-remote-dom0"), "python3 /usr/bin/qvm-remote-dom0");
  });
  await t.step("a daemon that somebody started by hand stops it", async () => {
    await dom0.good(
      "setsid python3 /usr/bin/qvm-remote-dom0 >/dev/null 2>&1 & echo $! >/run/by-hand",
    );
    await dom0.until(
      "pgrep -f '^/usr/bin/python3 /usr/bin/qvm-remote-dom0$' | grep -qx $(cat /run/by-hand)",
    );
    const { code, stderr } = await dom0.run("qvm-remote-dom0 migrate --apply");
    assertEquals(code, 1);
    assertMatch(stderr, /the original's daemon runs as process \d+, which systemd did not start/);
    assertEquals(await stateOf(dom0), on);
    await dom0.good("kill $(cat /run/by-hand)");
    await dom0.until("! kill -0 $(cat /run/by-hand)");
  });
  await t.step("--apply: nothing of the original runs, nor after a reboot", async () => {
    await dom0.good("qvm-remote-dom0 migrate --apply");
    assertEquals(await stateOf(dom0), off);
    await dom0.reboot();
    assertEquals(await stateOf(dom0), off);
    assertEquals((await dom0.run("pgrep -f /usr/bin/python3")).stdout, "");
    const file = await dom0.good("systemctl show --property=FragmentPath --value qvm-remote-dom0");
    assertMatch(file, /\/lib\/systemd\/system\/qvm-remote-dom0\.service$/m);
  });
  await t.step("the VM goes on with its key, and a person is asked", async () => {
    await dom0.good("qvm-remote-dom0 enable", { input: "yes\n" });
    assertEquals((await dom0.inVm("work", "qvm-remote migrate --apply")).code, 0);
    assertEquals(await askedAndRun(dom0), "42\n");
    assertEquals(await dom0.good("systemctl is-active qvm-remote-dom0"), "active\n");
  });
  await t.step(
    "--undo: units, files and what runs are as before, also after a reboot",
    async () => {
      const early = await dom0.run("qvm-remote-dom0 migrate --undo");
      assertEquals(early.code, 1, early.stderr);
      assertMatch(
        early.stdout,
        /NOT DONE: start qvm-remote-dom0\.service: it would start \/usr\/bin/,
      );
      assertEquals(await stateOf(dom0), off);
      await dom0.good("cp -p /usr/bin/qvm-remote-dom0 /root/new");
      for (const path of PROGRAMS) await dom0.good(`cp -p ${path}.python ${path}`);
      await dom0.good("/root/new migrate --undo");
      assertEquals([await stateOf(dom0), filesOf(dom0)], [on, before]);
      await dom0.reboot();
      assertEquals(await stateOf(dom0), on);
      assertStringIncludes(
        await runsAs(dom0, "qvm-remote-dom0"),
        "python3 /usr/bin/qvm-remote-dom0",
      );
    },
  );
});

Deno.test("README, Coming from the Python original: every line does what it says", async () => {
  await using dom0 = await bootDom0([{ name: "work" }], { install: installOver });
  await installOriginalVm(`${dom0.root()}/var/lib/qsim/vms/work/home/user`, { key: KEY });
  const lines = README.filter(({ place }) => place !== "before");
  assertEquals(lines.length, 5);
  for (const { place, text } of lines) {
    const inDom0 = place === "dom0";
    const end = inDom0 ? await dom0.run(text, { input: "yes\n" }) : await dom0.inVm(place, text);
    assertEquals(end.code, 0, `${text}: ${end.stderr}`);
  }
  assertEquals(await askedAndRun(dom0), "42\n");
  assertStringIncludes(await dom0.good("qvm-remote-dom0 migrate"), "there is nothing left to do");
});
