// SPDX-License-Identifier: GPL-2.0-or-later
/** What the operator changes in files takes effect at once; what is bad makes nothing looser. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { dirname } from "@std/path/posix/dirname";
import { exists } from "../../shared/io/files.ts";
import { finish, install, type Installed, readAudit, until } from "./installed.ts";

Deno.test("a lockdown while the daemon starts counts from its start", async () => {
  await using qubes = await install([{ name: "work" }]);
  await qubes.authorize("work");
  const root = qubes.world.dom0Root;
  const ledger = `${root}/var/lib/qvm-remote/ledger`;
  await Deno.mkdir(dirname(ledger), { recursive: true });
  assert((await new Deno.Command("mkfifo", { args: [ledger] }).output()).success);
  const starting = qubes.startDaemon([]);
  // Opened when the daemon opens it, which has read its settings by then; it waits for the end.
  const fifo = await Deno.open(ledger, { write: true });
  await Deno.writeTextFile(`${root}/etc/qubes/remote.lockdown`, "");
  fifo.close();
  await starting;
  const { code, stderr } = await qubes.client("work", ["echo", "x"]);
  assertEquals(code, 126);
  assertStringIncludes(stderr, "locked down");
});

Deno.test("configuration, policy and reload", async (t) => {
  await using qubes = await install([{ name: "work" }]);
  await qubes.authorize("work");
  const conf = `${qubes.world.dom0Root}/etc/qubes/remote.conf`;
  const policy = `${qubes.world.dom0Root}/etc/qubes/remote-policy.d/20-test.policy`;
  const good = await Deno.readTextFile(conf);
  const daemon = await qubes.startDaemon(["work"]);
  /** Within a moment, and without any signal, the client ends so. */
  const becomes = (code: number, words = ["-c", "sleep 1.5; echo x"]) =>
    eventually(() => qubes.client("work", words), (end) => end.code === code);

  await t.step("remote.conf: a change is taken up", async () => {
    await Deno.writeTextFile(conf, `${good}QVM_REMOTE_MAX_TIMEOUT="1"\n`);
    await becomes(124);
    await Deno.writeTextFile(conf, good);
    await becomes(0);
  });
  await t.step("SIGHUP reads what no watch could see, and ends nothing", async () => {
    const elsewhere = `${qubes.world.folder}/remote.conf`;
    await Deno.writeTextFile(elsewhere, good);
    await Deno.remove(conf);
    await Deno.symlink(elsewhere, conf);
    await becomes(0);
    const [up, go] = [`${qubes.world.folder}/up`, `${qubes.world.folder}/go`];
    const script = `touch ${up}; until [ -e ${go} ]; do sleep 0.05; done; echo survived`;
    const running = qubes.client("work", ["-c", script]);
    await until("it runs", () => exists(up));
    await Deno.writeTextFile(elsewhere, `${good}QVM_REMOTE_MAX_TIMEOUT="1"\n`);
    assertEquals((await qubes.client("work", ["sleep", "1.5"])).code, 0);
    daemon.child.kill("SIGHUP");
    await becomes(124);
    await Deno.writeTextFile(go, "");
    assertEquals((await running).stdout, "survived\n");
    await Deno.remove(conf);
    await Deno.writeTextFile(conf, good);
    await becomes(0);
  });
  await t.step("a bad line has its number everywhere, and the last good file stays", async () => {
    await Deno.writeTextFile(conf, `QVM_REMOTE_MAX_TIMEOUT="1"\nnonsense here\n`);
    const line = `${conf}:2: `;
    const shown = await eventually(
      () => qubes.dom0(["status"]),
      (end) => end.stdout.includes(line),
    );
    assertMatch(shown.stdout, /^problem: .*:2: not KEY="value": "nonsense here"$/m);
    const checked = await qubes.dom0(["check-config", "--json"]);
    assertEquals(checked.code, 1);
    assertStringIncludes(JSON.parse(checked.stdout).problems[0], line);
    const problems = readAudit(qubes.world).filter(({ event }) => event === "problem");
    assertStringIncludes(String(problems.at(-1)?.["problem"]), line);
    // Neither the limit above the bad line nor the end of the VM list took effect.
    assertEquals((await qubes.client("work", ["sleep", "1.5"])).code, 0);
    await Deno.writeTextFile(conf, good);
    await eventually(() => qubes.dom0(["status"]), (end) => !end.stdout.includes("problem"));
    assertEquals((await qubes.dom0(["check-config"])).code, 0);
  });
  await t.step("a bad policy file is named, and the last good policy stays in force", async () => {
    await Deno.writeTextFile(policy, "* work * deny\n");
    const { stderr } = await becomes(126, ["echo", "x"]);
    assertStringIncludes(stderr, "policy in dom0 does not allow");
    await Deno.writeTextFile(policy, "* work * alow\n");
    const names = /problem: policy: the last good one stays in force: 20-test\.policy:1:10: /;
    await eventually(() => qubes.dom0(["status"]), ({ stdout }) => names.test(stdout));
    assertEquals((await qubes.client("work", ["echo", "x"])).code, 126);
    await Deno.writeTextFile(policy, "* work * allow\n");
    await becomes(0, ["echo", "x"]);
    await Deno.remove(policy);
    await Deno.symlink("/nowhere", policy);
    await eventually(() => qubes.dom0(["status"]), ({ stdout }) => stdout.includes("problem"));
    assertEquals((await qubes.client("work", ["echo", "x"])).code, 0);
    await Deno.remove(policy);
    await eventually(() => qubes.dom0(["status"]), ({ stdout }) => !stdout.includes("problem"));
  });
  await t.step("the first match decides, by the order of the names", async () => {
    await Deno.writeTextFile(policy.replace("20-", "60-"), "* @anyvm * deny\n");
    // When a later change counts, so does this one.
    await Deno.writeTextFile(policy, "* work * deny\n");
    await becomes(126, ["echo", "x"]);
    await Deno.remove(policy);
    await becomes(0, ["echo", "x"]);
    await Deno.remove(policy.replace("20-", "60-"));
  });
  assertEquals(await daemon.stop(), 0);

  await t.step("a start with a bad policy file allows nothing until it is mended", async () => {
    await Deno.writeTextFile(policy, "* work * alow\n");
    const started = await qubes.startDaemon(["work"]);
    assertEquals((await qubes.client("work", ["echo", "x"])).code, 126);
    await Deno.remove(policy);
    await becomes(0, ["echo", "x"]);
    assertEquals(await started.stop(), 0);
  });
  await t.step("a start with a bad file is refused with 78, and a hint", async () => {
    await Deno.writeTextFile(conf, "QVM_REMOTE_PARALLEL=many\n");
    const { code, stderr } = await finish(qubes.spawnDom0([]), "");
    assertEquals(code, 78);
    assertMatch(stderr, /remote\.conf:1: QVM_REMOTE_PARALLEL: "many".*\n.*hint: .*check-config/);
  });
});

type Finished = Awaited<ReturnType<Installed["dom0"]>>;

/** Does it until it ends as wanted: a change needs a moment to be noticed. */
async function eventually(
  act: () => Promise<Finished>,
  isWanted: (end: Finished) => boolean,
): Promise<Finished> {
  for (const deadline = Date.now() + 60_000;;) {
    const end = await act();
    if (isWanted(end)) return end;
    if (Date.now() > deadline) throw new Error(`it did not become so: ${JSON.stringify(end)}`);
    await pause(20);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
