// SPDX-License-Identifier: GPL-2.0-or-later
/** What holds the commands, and who ends whom, under a real systemd. @module */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { until } from "../until.ts";
import { bootDom0, type Dom0Machine } from "./qubes_machine.ts";

const UNIT = "qvm-remote-dom0.service";
const COMMANDS = "system.slice/qvm-remote-commands.service";
const CGROUP = `/sys/fs/cgroup/${COMMANDS}`;
const LONG_MS = 60_000;

async function withDaemon(
  prepare: string,
  test: (dom0: Dom0Machine) => Promise<void>,
): Promise<void> {
  await using dom0 = await bootDom0([{ name: "work" }]);
  const key = await dom0.inVm("work", "qvm-remote key gen >/dev/null && qvm-remote key show");
  await dom0.good("qvm-remote-dom0 authorize --grant full work", { input: key.stdout });
  await dom0.good(`set -e\n${prepare}\nsystemctl daemon-reload; systemctl start ${UNIT}`);
  await test(dom0);
}

const dropIn = (lines: string): string => `
mkdir -p /etc/systemd/system/${UNIT}.d
printf '%s\n' '[Service]' ${lines} >/etc/systemd/system/${UNIT}.d/test.conf`;

const show = async (dom0: Dom0Machine, property: string): Promise<string> =>
  (await dom0.good(`systemctl show ${UNIT} -p ${property} --value`)).trim();

Deno.test("the daemon and its commands are in cgroups beside each other, and it says how limits are enforced", () =>
  withDaemon("", async (dom0) => {
    const own = "sed -n s/^0:://p /proc/self/cgroup";
    const { stdout } = await dom0.inVm("work", `qvm-remote '${own}'`);
    assertMatch(stdout, /^\/system\.slice\/qvm-remote-commands\.service\/commands\/\d+\n$/);
    assertEquals(await dom0.good(`cat ${CGROUP}/cgroup.procs`), "");
    const starter = await dom0.good(`cat ${CGROUP}/daemon/cgroup.procs`);
    assertMatch(starter, /^\d+\n/);
    const pid = await show(dom0, "MainPID");
    assertEquals(
      await dom0.good(`sed -n s/^0:://p /proc/${pid}/cgroup`),
      `/system.slice/${UNIT}\n`,
    );
    const limits = /limits of commands: processes (watched|enforced by the kernel), memory /;
    assertMatch(await dom0.good("qvm-remote-dom0 status"), limits);
    assertMatch(await dom0.good("qvm-remote-dom0 check-config"), limits);
    const status = JSON.parse(await dom0.good("qvm-remote-dom0 status --json"));
    const check = JSON.parse(await dom0.good("qvm-remote-dom0 check-config --json"));
    const { processes, memory } = status.limits;
    assertEquals(check.limits, { processes, memory });
    const log = await dom0.good("cat /var/log/qubes/qvm-remote.audit.jsonl");
    const started = log.split("\n").find((line) => line.includes('"started"')) ?? "";
    const { groups, ...record } = JSON.parse(started);
    assertEquals([groups, record.processes, record.memory], ["cgroup", processes, memory]);
  }));

Deno.test("what hardens the daemon does not keep a command from root's work", () =>
  withDaemon("", async (dom0) => {
    const look = "grep -E '^(NoNewPrivs|Seccomp|CapBnd):' /proc/self/status";
    const free = await dom0.good(`systemd-run --quiet --pipe --wait ${look}`);
    const { stdout } = await dom0.inVm("work", `qvm-remote "${look}"`);
    assertEquals(stdout, free);
    const pid = await show(dom0, "MainPID");
    const daemon = await dom0.good(look.replace("self", pid));
    assertMatch(daemon, /^NoNewPrivs:\t1$/m);
    assertMatch(daemon, /^Seccomp:\t2$/m);
    // A user's sudo, a name for the host, a priority: each was refused under the daemon's unit.
    const work = "nice -n -5 true && hostname other && hostname dom0 && " +
      "setpriv --reuid=user --clear-groups sudo -n id -u";
    const done = await dom0.inVm("work", `qvm-remote '${work}'`);
    assertEquals([done.code, done.stdout, done.stderr], [0, "0\n", ""]);
  }));

Deno.test("if the commands' unit is stopped, the daemon starts again with another", () =>
  withDaemon(dropIn("RestartSec=100ms"), async (dom0) => {
    const running = dom0.inVm("work", "qvm-remote 'touch /run/runs; sleep 3000'");
    await until("it runs", async () => (await dom0.run("test -e /run/runs")).code === 0, LONG_MS);
    await dom0.good("systemctl stop qvm-remote-commands.service");
    assert((await running).code !== 0);
    await until("the daemon runs again", async () => {
      return await show(dom0, "NRestarts") === "1" && await show(dom0, "ActiveState") === "active";
    }, LONG_MS);
    const journal = await dom0.good(`journalctl -u ${UNIT} -o cat`);
    assertStringIncludes(journal, "qvm-remote-commands.service has ended");
    assertEquals((await dom0.inVm("work", "qvm-remote echo on")).stdout, "on\n");
  }));

Deno.test("a command with too many processes is ended, and the daemon serves on", () =>
  withDaemon("echo QVM_REMOTE_MAX_PROCESSES=60 >>/etc/qubes/remote.conf", async (dom0) => {
    const bomb = "for i in {1..200}; do setsid env -i /bin/sleep 3000 & done; wait";
    const { code, stderr } = await dom0.inVm("work", `qvm-remote '${bomb}'`);
    assertEquals(code, 137, stderr);
    assertStringIncludes(stderr, "process");
    assertEquals((await dom0.run("pgrep -f '^/bin/sleep 3000'")).stdout, "");
    assertEquals((await dom0.inVm("work", "qvm-remote echo on")).stdout, "on\n");
  }));

Deno.test("however often the daemon is killed, it is started again, and nothing of it is left", () =>
  withDaemon(dropIn("RestartSec=100ms"), async (dom0) => {
    for (let kills = 1; kills <= 8; kills++) {
      const pid = await show(dom0, "MainPID");
      await dom0.good(`kill -KILL ${pid}`);
      await until("it runs again", async () => {
        const [state, now] = [await show(dom0, "ActiveState"), await show(dom0, "MainPID")];
        return state === "active" && now !== pid && now !== "0";
      }, LONG_MS);
    }
    assertEquals(await show(dom0, "NRestarts"), "8");
    assertEquals((await dom0.inVm("work", "qvm-remote echo on")).stdout, "on\n");
  }));

Deno.test("a stop ends commands at once, and their VM is told", () =>
  withDaemon("", async (dom0) => {
    const running = dom0.inVm("work", "qvm-remote 'trap \"\" TERM; touch /run/runs; sleep 3000'");
    await until("it runs", async () => (await dom0.run("test -e /run/runs")).code === 0, LONG_MS);
    await dom0.good(`systemctl stop ${UNIT}`);
    assertEquals(await show(dom0, "Result"), "success");
    assert((await running).code !== 0);
    assertEquals((await dom0.run(`test -e ${CGROUP}`)).code, 1);
  }));

Deno.test("pings to the watchdog keep it alive; stopped, it is killed and started again", () =>
  withDaemon(dropIn("WatchdogSec=6 RestartSec=100ms"), async (dom0) => {
    const seen = new Set<string>();
    await until("three pings", async () => {
      seen.add(await show(dom0, "WatchdogTimestampMonotonic"));
      return seen.size > 3;
    }, LONG_MS);
    const pid = await show(dom0, "MainPID");
    assertEquals(await show(dom0, "NRestarts"), "0");
    await dom0.good(`kill -STOP ${pid}`);
    await until("another runs", async () => {
      return await show(dom0, "NRestarts") === "1" && await show(dom0, "ActiveState") === "active";
    }, LONG_MS);
    assertEquals((await dom0.inVm("work", "qvm-remote echo on")).stdout, "on\n");
  }));

Deno.test("cgroups that cannot be prepared are told in the journal, again and again, and nothing runs", async () => {
  await using dom0 = await bootDom0([{ name: "work" }]);
  // A unit of that name stands in the way.
  await dom0.good(`${dropIn("RestartSec=100ms")}
    systemctl daemon-reload; systemd-run --unit=qvm-remote-commands.service sleep infinity`);
  assert((await dom0.run(`systemctl start ${UNIT}`)).code !== 0);
  await until("it was started again, more often than any start limit", async () => {
    return Number(await show(dom0, "NRestarts")) >= 6;
  }, LONG_MS);
  const journal = await dom0.good(`journalctl -u ${UNIT} -o cat`);
  const what =
    "cannot prepare cgroups for the commands: qvm-remote-commands.service was not started";
  assertMatch(journal, new RegExp(`^${what}: .*already.*; trying again$`, "m"));
  assertMatch(journal, new RegExp(`^qvm-remote-dom0: error: ${what}`, "m"));
  assertStringIncludes(journal, "hint: it needs systemd");
  await dom0.good("systemctl stop qvm-remote-commands.service");
  await until("it runs", async () => await show(dom0, "ActiveState") === "active", LONG_MS);
  assertMatch(
    await dom0.good("qvm-remote-dom0 status"),
    /processes (watched|enforced by the kernel)/,
  );
});
