// SPDX-License-Identifier: GPL-2.0-or-later
/** The test bed itself. @module */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { exists } from "../../shared/io/files.ts";
import { until } from "../until.ts";
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

const FOREVER = `
import { bootMachine } from "${new URL("./machine.ts", import.meta.url)}";
const machine = await bootMachine();
console.log(machine.root());
await new Promise(() => setInterval(() => {}, 1000));`;

Deno.test("a test that is killed leaves no machine: no process, no cgroup, no folder", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", FOREVER],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const line = new TextDecoder().decode((await reader.read()).value);
  const pid = /^\/proc\/(\d+)\/root\n$/.exec(line)?.[1];
  const cgroups = await Deno.readTextFile(`/proc/${pid}/cgroup`);
  const name = /\/machine-(qmachine-\w+)\//.exec(cgroups)?.[1] ?? "";
  assertMatch(name, /./, cgroups);
  assert(await exists(`/tmp/${name}`));
  child.kill("SIGKILL");
  await child.status;
  await until("the folder is gone", async () => !await exists(`/tmp/${name}`), 120_000);
  assert(!await exists(`/proc/${pid}`), "its init runs on");
  for (const place of ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]) {
    assert(!await exists(`${place}/machine-${name}`), "its cgroup is there");
  }
  await reader.cancel();
});
