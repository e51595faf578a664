// SPDX-License-Identifier: GPL-2.0-or-later
/** Every unit of a VM, started for real: users made for it, users with linger, flags of dom0. @module */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { PROJECT } from "../e2e/program_flags.ts";
import type { Machine } from "./machine.ts";
import { bootVm, serveInVm } from "./qubes_machine.ts";

const USER = { user: "user" } as const;
const CLAW = { name: "claw", tags: ["openclaw-server"] };
const MAY_CALL = [
  ...["openclaw.Mux * work claw allow", "openclaw.Mux +32125 agent @default allow target=keys"],
];
const HEALTH = "curl -sf http://127.0.0.1";

/** dom0's flags, which Qubes writes at each boot. */
async function setFlags(vm: Machine, ...services: readonly string[]): Promise<void> {
  const lines = services.map((service) => `f /run/qubes-service/${service}\n`);
  await vm.good("cat >/etc/tmpfiles.d/flags.conf; systemd-tmpfiles --create flags.conf", {
    input: `d /run/qubes-service\n${lines.join("")}`,
  });
}

/** What setup-vm writes into the home, and a program where OpenClaw's would be. */
async function setUpAgent(vm: Machine, ...words: readonly string[]): Promise<void> {
  const openclaw = "/usr/lib/qubes-claw/openclaw/bin/openclaw";
  await vm.good(`mkdir -p $(dirname ${openclaw}); cat >${openclaw}; chmod 755 ${openclaw}`, {
    input: "#!/bin/sh\nexec /usr/local/bin/deno run -A --quiet --no-config --no-lock " +
      "/opt/qubes-claw/tests/e2e/gateway-double.ts 18789 $HOME/gateway.status\n",
  });
  await vm.good(`setup-vm openai --only-files ${words.join(" ")}`, USER);
  await vm.good("cat >~/.config/openclaw/watchdog.json", {
    ...USER,
    input: JSON.stringify({ everySeconds: 0.2, answerSeconds: 2, startSeconds: 0 }),
  });
}

const enterLinger = "loginctl enable-linger user";
const atUser = "systemctl is-active user@1000.service";

async function active(vm: Machine, scope: "--system" | "--user", units: string): Promise<void> {
  const options = scope === "--user" ? USER : {};
  for (const unit of units.split(" ")) {
    await vm.until(`systemctl ${scope} is-active ${unit}`, options);
  }
}

Deno.test("units in the repository and units started here are the same", async () => {
  const text = await Deno.readTextFile(new URL(import.meta.url));
  const folders = [`${PROJECT}/vm/systemd`, `${PROJECT}/vm/systemd/user`];
  const units = folders.flatMap((folder) =>
    [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.endsWith("service"))
  );
  assertEquals(units.length, 11);
  const missing = units.map((unit) => unit.replace(/@?\.service$/, "")).filter((unit) =>
    !text.includes(unit)
  );
  assertEquals(missing, []);
});

Deno.test("a client VM: its tunnels, the system's and its user's, carry requests", async () => {
  await using vm = await bootVm({
    ...{ name: "work", tags: ["openclaw-client"], others: [CLAW], policy: MAY_CALL },
  });
  await serveInVm(vm, { vm: "claw", port: 18789, text: "gateway" });
  await serveInVm(vm, { vm: "claw", port: 32125, text: "proxy" });
  await vm.good("echo OPENCLAW_VM=claw >/etc/qubes/openclaw.conf");
  await vm.good("systemctl start openclaw-tunnel@18789");
  assertEquals(await vm.good(`${HEALTH}:18789/health`), "gateway");
  await vm.good("systemctl stop openclaw-tunnel@18789; systemctl enable --now openclaw-tunnels");
  assertEquals(await vm.good(`${HEALTH}:18789/health; ${HEALTH}:32125/health`), "gatewayproxy");
  assertMatch(await vm.good("openclaw-tunnel status"), /18789[^]*32125|32125[^]*18789/);
  await vm.good("systemctl disable --now openclaw-tunnels");

  await vm.good(`${enterLinger}; rm /etc/qubes/openclaw.conf`);
  await vm.until(atUser);
  await vm.good(
    "mkdir -p ~/.config/openclaw; echo OPENCLAW_VM=claw >~/.config/openclaw/connect.conf",
    USER,
  );
  await vm.good("systemctl --user enable --now openclaw-connect", USER);
  await vm.until(`${HEALTH}:32125/health`);
  await vm.good(`echo '{"role": "client"}' >~/.config/openclaw/vm.json`, USER);
  assertStringIncludes(
    (await vm.run("openclaw-ctl status", USER)).stdout,
    "openclaw-connect.service  active (running)  enabled",
  );
});

Deno.test("an agent VM by dom0's flags: openclaw-ctl, the watchdog, a reboot", async () => {
  await using vm = await bootVm({ name: "agent", others: [], policy: [] });
  await setUpAgent(vm);
  const units = ["qubes-openclaw-proxy", "qubes-openclaw-gateway", "qubes-openclaw-watchdog"];
  await vm.good(`systemctl enable --now ${units.join(" ")}`);
  for (const unit of units) {
    assertEquals((await vm.run(`systemctl is-active ${unit}`)).stdout, "inactive\n", unit);
  }
  await setFlags(vm, "openclaw-proxy", "openclaw-gateway", "openclaw-watchdog");
  await vm.reboot();
  await active(vm, "--system", units.join(" "));
  const status = await vm.run("openclaw-ctl status", USER);
  for (const unit of units) {
    assertMatch(status.stdout, new RegExp(`${unit}.service +active \\(running\\) +enabled`));
  }
  assertStringIncludes(status.stdout, "gateway  ok");
  assertStringIncludes(status.stdout, "openclaw-watchdog on");

  const mainPid = "systemctl show --property=MainPID --value qubes-openclaw-gateway";
  const before = await vm.good(mainPid);
  await vm.good(`kill -STOP ${before}`);
  await vm.until(`[ $(${mainPid}) != ${before.trim()} ]`);
  await vm.until(`${HEALTH}:18789/healthz`);
  const asRoot = "HOME=/home/user openclaw-ctl";
  assertMatch(await vm.good(`${asRoot} logs watchdog`), /watchdog +.*gateway/);
  const restarted = await vm.good(mainPid);
  await vm.good(`${asRoot} restart gateway`);
  assert(await vm.good(mainPid) !== restarted, "it is the same process");
  await vm.good("systemctl disable --quiet qubes-openclaw-gateway");
  const doctor = await vm.run(`${asRoot} doctor`);
  assertEquals([doctor.code, doctor.stderr], [1, ""], doctor.stdout);
  assertStringIncludes(doctor.stdout, "systemctl enable qubes-openclaw-gateway.service");
  const frozen = "systemctl show --property=MainPID --value qubes-openclaw-watchdog";
  const watchdog = await vm.good(frozen);
  await vm.good(
    "mkdir /etc/systemd/system/qubes-openclaw-watchdog.service.d; cat >" +
      "/etc/systemd/system/qubes-openclaw-watchdog.service.d/test.conf; systemctl daemon-reload",
    { input: "[Service]\nWatchdogSec=3\nRestartSec=100ms\n" },
  );
  await vm.good(`systemctl restart qubes-openclaw-watchdog; kill -STOP $(${frozen})`);
  await vm.until("[ $(systemctl show -P NRestarts qubes-openclaw-watchdog) = 1 ]");
  await active(vm, "--system", "qubes-openclaw-watchdog");
  assert(await vm.good(frozen) !== watchdog);
});

Deno.test("the agent of a key qube: its proxy's port leads to the keys, in a user made for it", async () => {
  await using vm = await bootVm({ name: "agent", others: [{ name: "keys" }], policy: MAY_CALL });
  await serveInVm(vm, { vm: "keys", port: 32125, text: "keys" });
  await setUpAgent(vm, "--key-qube");
  await setFlags(vm, "openclaw-tunnels", "openclaw-gateway");
  await vm.good("systemctl enable --now qubes-openclaw-tunnel qubes-openclaw-gateway");
  assertEquals(await vm.good(`${HEALTH}:32125/health`), "keys");
  const pid = "$(systemctl show -P MainPID qubes-openclaw-tunnel)";
  assertEquals((await vm.run(`ps -o user= -p ${pid} | grep -x -e root -e user`)).stdout, "");
});

Deno.test("an agent VM with its user's units: they linger, and come back after a reboot", async () => {
  await using vm = await bootVm({ name: "agent", others: [{ name: "keys" }], policy: MAY_CALL });
  await setUpAgent(vm, "--user-units");
  await vm.good(enterLinger);
  await vm.until(atUser);
  const units = "openclaw-proxy openclaw-gateway openclaw-watchdog";
  await vm.good(`systemctl --user enable --now ${units}`, USER);
  await vm.reboot();
  await vm.until(atUser);
  await active(vm, "--user", units);
  await vm.until(`${HEALTH}:18789/healthz`);
  const status = (await vm.run("openclaw-ctl status", USER)).stdout;
  assertMatch(status, /openclaw-gateway\.service +active \(running\) +enabled +\d+ restarts/);
  // The user's own part of the journal is the user's to read.
  await vm.until("openclaw-ctl logs watchdog | grep 'watchdog *gateway: ok'", USER);
  await vm.good("systemctl --user stop openclaw-proxy", USER);
  await serveInVm(vm, { vm: "keys", port: 32125, text: "keys" });
  await vm.good("systemctl --user start openclaw-tunnel", USER);
  assertEquals(await vm.good(`${HEALTH}:32125/health`), "keys");
});
