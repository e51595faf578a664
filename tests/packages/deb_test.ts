// SPDX-License-Identifier: GPL-2.0-or-later
/** The packages of a template that is a Debian, on a machine that boots. @module */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { bootMachine, type Machine } from "../machine/machine.ts";
import { debFile, DIST, DIST_INSIDE, good } from "./dist.ts";
import { changesSince, snapshot } from "./snapshot.ts";

const NAMES = ["qubes-claw-runtime", "qvm-remote", "qubes-claw-vm"];
const TUNNEL = "openclaw-tunnel@18789.service";
const QUEUE = "/etc/qubes-rpc/qvmremote.Queue";

const install = (machine: Machine, release: number): Promise<string> => {
  const files = NAMES.map((name) => `${DIST_INSIDE}/${debFile(name, release)}`);
  return machine.good(`dpkg --force-confold --install ${files.join(" ")}`);
};

Deno.test("deb: installed, upgraded, downgraded, removed, purged", async () => {
  await using vm = await bootMachine({ binds: [{ from: DIST, to: DIST_INSIDE }] });
  await vm.good("touch /etc/qubes-rpc/qubes.GetDate"); // as Qubes' own package: the folder is not ours
  const before = await snapshot(vm);
  const said = await install(vm, 1);
  assertEquals(said.includes("Created symlink"), false, "it enables something");
  // The machine has no documentation of any package.
  const verified = await vm.good(
    `dpkg --verify ${NAMES.join(" ")} | grep -v /usr/share/doc/ || true`,
  );
  assertEquals(verified, "");
  assertEquals(await vm.good("stat -c '%a %U:%G' /etc/qubes-rpc"), "2775 root:qubes\n");
  const running = "systemctl list-units --plain --no-legend --type=service '*openclaw*'";
  assertEquals(await vm.good(running), "");
  assertMatch(await vm.good("qvm-remote key gen", { user: "user" }), /^([0-9a-f]{4}-?){8}\n$/);

  await vm.good("mkdir -p /etc/qubes; echo OPENCLAW_VM=claw >/etc/qubes/openclaw.conf");
  await vm.good(`echo '# mine' >>${QUEUE}; systemctl enable --now ${TUNNEL}`);
  const pid = () => vm.good(`systemctl show --value --property=MainPID ${TUNNEL}`);
  const first = await pid();
  await install(vm, 2);
  await vm.until(`systemctl is-active ${TUNNEL}`);
  assertEquals(await pid() === first, false, "it still runs the old program");
  assertStringIncludes(await vm.good(`cat ${QUEUE}`), "# mine");
  assertStringIncludes(await vm.good("dpkg --status qvm-remote"), "-2\n");
  await install(vm, 1);
  assertStringIncludes(await vm.good("dpkg --status qvm-remote"), "-1\n");

  await vm.good(`dpkg --remove ${NAMES.join(" ")}`);
  assertEquals(await vm.good(running), "");
  await vm.good(`ls ${QUEUE} /home/user/.qvm-remote/auth.key`);
  await vm.good(`dpkg --purge ${NAMES.join(" ")}`);
  // What a person made stays: here the key, and the configuration of a tunnel; and Deno's cache.
  await vm.good("rm -r /home/user/.qvm-remote /home/user/.cache /etc/qubes/openclaw.conf");
  assertEquals(changesSince(before, await snapshot(vm)), []);
});

Deno.test("deb: lintian finds nothing that is not explained", {
  ignore: !await exists("/usr/bin/lintian"),
}, async () => {
  const files = NAMES.map((name) => `${DIST}/${debFile(name, 1)}`);
  const said = await good("lintian", "--allow-root", "--fail-on=none", ...files);
  assertEquals(said, "");
});

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
