// SPDX-License-Identifier: GPL-2.0-or-later
/** Uninstalling ends what it removes, or refuses and says what to do first. @module */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { PROJECT } from "../e2e/program_flags.ts";
import { type Machine } from "./machine.ts";
import { authorize, bootDom0, bootVm } from "./qubes_machine.ts";

const CHECKOUT = "/opt/checkout";
const TUNNEL = "openclaw-tunnel@18789.service";
const POLICY = "/etc/qubes/policy.d/30-qvm-remote.policy";

/** Units of this project that run, or would start: nothing is to be left of either. */
async function left(machine: Machine): Promise<string> {
  return await machine.good(`
    systemctl list-units --all --plain --no-legend 'openclaw*' 'qvm-remote*' 'qubes-openclaw*'
    find /etc/systemd /home/*/.config/systemd -name '*openclaw*' -o -name '*qvm-remote*'
    find /usr /etc/qubes-rpc -path '*claw*' -o -name 'qvm*remote*' -o -name 'setup-*' |
      grep -e claw -e remote -e setup-dom0 -e setup-vm || true
    pgrep -a deno | grep -v sim/vm-agent || true`);
}

Deno.test("qvm-remote-dom0 uninstall: ended, disabled, removed; what is a person's stays", async () => {
  await using dom0 = await bootDom0([{ name: "work" }]);
  await dom0.good("echo OPENCLAW_VM=work >/etc/qubes/openclaw.conf; echo '# mine' >>" + POLICY);
  await authorize(dom0, "work");
  await dom0.good("qvm-remote-dom0 enable", { input: "yes\n" });
  await dom0.good(`systemctl enable --now ${TUNNEL} && systemctl enable openclaw-tunnels.service`);

  for (const what of [TUNNEL, "openclaw-tunnels.service", "/usr/lib/qubes-claw/deno run"]) {
    assertStringIncludes(await left(dom0), what);
  }
  const fromVm = await dom0.inVm("work", "qvm-remote qvm-remote-dom0 uninstall --yes");
  assertEquals(fromVm.code, 1, fromVm.stderr);
  assertStringIncludes(fromVm.stderr, "run it in a terminal of dom0");
  const unwilling = await dom0.run("qvm-remote-dom0 uninstall", { input: "no\n" });
  assertEquals(unwilling.code, 1, unwilling.stderr);
  assertStringIncludes(unwilling.stdout, TUNNEL.replace("18789", ""));
  assertEquals(await dom0.good("systemctl is-active qvm-remote-dom0"), "active\n");
  await dom0.good("mkdir -p /var/lib/openclaw; touch /var/lib/openclaw/setup.json");
  const early = await dom0.run("qvm-remote-dom0 uninstall --yes");
  assertEquals(early.code, 1);
  assertStringIncludes(early.stderr, "sudo setup-dom0 --undo");
  await dom0.good("rm /var/lib/openclaw/setup.json");

  const sleeper = dom0.inVm("work", "qvm-remote 'echo $$; exec sleep 12345'");
  await dom0.until("pgrep -xf 'sleep 12345'");
  const done = await dom0.good("qvm-remote-dom0 uninstall", { input: "yes\n" });
  const kept = [...done.matchAll(/^Kept: (.*)$/gm)].map(([, path]) => path);
  assertEquals(kept, [
    ...["/etc/qubes/remote.conf", POLICY, "/etc/qubes/remote.d", "/etc/qubes/remote-policy.d"],
    ...["/var/lib/qvm-remote", "/var/log/qubes/qvm-remote.log"],
    "/var/log/qubes/qvm-remote.audit.jsonl",
  ]);
  await dom0.good(`ls ${kept.join(" ")} /etc/qubes/remote.d/work.key`);
  assertMatch((await sleeper).stderr, /the daemon there was stopped/);
  assertEquals(await left(dom0), "");
  assertEquals((await dom0.run("pgrep -xf 'sleep 12345'")).stdout, "");
  await dom0.reboot();
  assertEquals(await dom0.good("systemctl list-units --failed --no-legend"), "");
});

Deno.test("make uninstall-vm: each user's services too; setup-vm has to be taken back first", async () => {
  await using vm = await bootVm({
    ...{ name: "work", others: [{ name: "claw" }], policy: [] },
    binds: [{ from: PROJECT, to: CHECKOUT }],
  });
  const uninstall = `make --no-print-directory -C ${CHECKOUT} uninstall-vm`;
  await vm.good("echo OPENCLAW_VM=claw >/etc/qubes/openclaw.conf");
  await vm.good(`systemctl enable --now ${TUNNEL}`);
  await vm.good("useradd -m other; loginctl enable-linger user");
  await vm.until("systemctl is-active user@1000");
  const asUser = { user: "user" } as const;
  await vm.good(
    "mkdir -p ~/.config/openclaw; echo OPENCLAW_VM=claw >~/.config/openclaw/connect.conf",
    asUser,
  );
  await vm.good("systemctl --user enable --now openclaw-connect.service", asUser);
  const wants = "/home/other/.config/systemd/user/default.target.wants";
  await vm.good(`runuser -u other -- mkdir -p ${wants}; systemctl --global enable openclaw-proxy
    runuser -u other -- ln -s /usr/lib/systemd/user/openclaw-connect.service ${wants}/`);

  for (const unit of [TUNNEL, "openclaw-connect.service", "user/openclaw-proxy.service", wants]) {
    assertStringIncludes(await left(vm), unit);
  }
  const record = "/home/user/.local/state/qubes-claw/setup-vm.json";
  await vm.good(`mkdir -p $(dirname ${record}); echo '{}' >${record}`, asUser);
  const early = await vm.run(uninstall);
  assertEquals(early.code, 2);
  assertStringIncludes(early.stderr, "hint: first, as user: setup-vm --undo");
  assertEquals(await vm.good(`systemctl is-active ${TUNNEL}`), "active\n");
  await vm.good(`rm ${record}`);

  assertStringIncludes(await vm.good(uninstall), "Kept: ~/.qvm-remote");
  assertEquals(await left(vm), "");
  const units = "systemctl --user list-units --all --plain --no-legend 'openclaw*'";
  assertEquals(await vm.good(units, asUser), "");
});
