// SPDX-License-Identifier: GPL-2.0-or-later
/** What an operator does while the daemon runs, and what the VMs notice of it. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  type Daemon,
  finish,
  type Finished,
  install,
  type Installed,
  readAudit,
  readState,
  until,
} from "./installed.ts";
import { isService, isSession, seenProcesses, untilNothingRuns } from "./seen_processes.ts";
import { openQueue } from "./vm_queue.ts";

interface Scene {
  readonly qubes: Installed;
  daemon: Daemon;
  /** An operator's command that must end so; what it says is kept for the search for keys. */
  dom0(code: number, ...words: string[]): Promise<Finished>;
  readonly said: string[];
}

Deno.test("operator: authorise, revoke, lock down, look", async (t) => {
  await using qubes = await install([
    { name: "work" },
    { name: "lab" },
    { name: "late", running: false },
  ]);
  const { world } = qubes;
  for (const vm of ["work", "lab"]) await qubes.authorize(vm);
  const keys = new Set([keyOf(qubes, "work"), keyOf(qubes, "lab")]);
  // One that is halted, and one that does not exist: neither may stop the others.
  const etc = `${world.dom0Root}/etc/qubes`;
  for (const vm of ["late", "ghost"]) {
    await Deno.writeTextFile(`${etc}/remote-policy.d/50-${vm}.policy`, `* ${vm} * allow\n`);
    const key = crypto.randomUUID().replaceAll("-", "").repeat(2);
    keys.add(key);
    await Deno.writeTextFile(`${etc}/remote.d/${vm}.key`, key, { mode: 0o600 });
  }
  const conf = await Deno.readTextFile(`${etc}/remote.conf`);
  const list = 'QVM_REMOTE_VMS="ghost late work lab"';
  await Deno.writeTextFile(`${etc}/remote.conf`, conf.replace(/^QVM_REMOTE_VMS=.*$/m, list));
  const scene: Scene = {
    ...{ qubes, said: [], daemon: await qubes.startDaemon(["work", "lab"]) },
    async dom0(code, ...words) {
      const end = await qubes.dom0(words);
      scene.said.push(end.stdout, end.stderr);
      assertEquals(end.code, code, `${words}: ${end.stdout}${end.stderr}`);
      return end;
    },
  };
  const sampler = sampleCommandLines(qubes);

  await t.step("a second daemon is refused", async () => {
    const { stderr } = await scene.dom0(1);
    assertMatch(stderr, /another qvm-remote-dom0 daemon is running\n.*hint: /);
    assertEquals((await qubes.client("work", ["echo", "x"])).code, 0);
  });
  await t.step("also when systemd has removed the run folder of a unit that ended", async () => {
    const folder = `${world.dom0Root}/run/qvm-remote`;
    // The daemon may put its state there in the same moment; as rm(1) does, systemd goes on.
    const remove = () => Deno.remove(folder, { recursive: true }).then(() => true, () => false);
    await until("the run folder is removed", remove);
    const { stderr } = await scene.dom0(1);
    assertMatch(stderr, /another qvm-remote-dom0 daemon is running\n.*hint: /);
    const script = await qubes.client("work", ["-c", "echo x"]);
    assertEquals([script.code, script.stdout], [0, "x\n"]);
    await until("the daemon shows its state again", () => readState(world) !== null);
  });
  await t.step(
    "revoke ends the VM's command and session at once; others go on",
    () => revoking(scene),
  );
  await t.step("authorise again, without a restart", async () => {
    const { stdout } = await qubes.client("work", ["key", "fingerprint"]);
    const wrong = stdout.trim().replace(/^./, (digit) => digit === "0" ? "1" : "0");
    const words = ["authorize", "--fetch", "--grant", "full", "work", "--fingerprint"];
    const denied = await scene.dom0(1, ...reorder(words, wrong));
    assertStringIncludes(denied.stderr, "nothing was stored");
    assert(!isKnown(qubes, "work"));
    const { stdout: said } = await scene.dom0(0, ...reorder(words, stdout.trim()));
    assertMatch(said, /The running daemon serves it now\.\n$/);
    await until("connected", () => stateOf(qubes, "work") === "connected");
    assertEquals((await qubes.client("work", ["echo", "again"])).stdout, "again\n");
  });
  await t.step("the key is replaced by another", async () => {
    assertEquals((await qubes.client("work", ["key", "gen", "--force"])).code, 0);
    keys.add(keyOf(qubes, "work"));
    assertEquals((await qubes.client("work", ["echo", "x"])).code, 255);
    const { stdout } = await qubes.client("work", ["key", "fingerprint"]);
    const words = ["authorize", "--fetch", "--grant", "full", "work", "--fingerprint"];
    await scene.dom0(0, ...reorder(words, stdout.trim()));
    await until("connected", () => stateOf(qubes, "work") === "connected");
    assertEquals((await qubes.client("work", ["echo", "x"])).code, 0);
    assert(readAudit(world).some(({ event, vm }) => event === "key-changed" && vm === "work"));
  });
  await t.step(
    "lockdown ends what runs, refuses what comes, and outlives the daemon",
    () => lockingDown(scene),
  );
  await t.step("disconnect, connect", async () => {
    await scene.dom0(0, "disconnect", "lab");
    await until("lab is gone", () => stateOf(qubes, "lab") === undefined);
    const { stdout } = await qubes.client("lab", ["key", "fingerprint"]);
    await scene.dom0(1, "connect", "--grant", "full", "lab");
    await scene.dom0(0, "connect", "--grant", "full", "--fingerprint", stdout.trim(), "lab");
    await until("lab is back", () => stateOf(qubes, "lab") === "connected");
    assertEquals((await qubes.client("lab", ["echo", "x"])).code, 0);
  });
  await t.step("a right that comes or goes is no problem on record, not even half of it", () => {
    assertEquals(readAudit(world).filter(({ event }) => event === "problem"), []);
  });
  await t.step("status, keys, queue, audit show what there is", () => looking(scene));
  await t.step(
    "a VM that starts is connected at once, not at the next try",
    () => startingLate(qubes),
  );
  await t.step("no key in any output, log, audit, or command line", async () => {
    const logs = [...Deno.readDirSync(`${world.dom0Root}/var/log/qubes`)]
      .map(({ name }) => Deno.readTextFileSync(`${world.dom0Root}/var/log/qubes/${name}`));
    const vmLogs = ["work", "lab", "late"].map((vm) =>
      world.vmLog(vm) + Deno.readTextFileSync(`${world.vmHome(vm)}/.qvm-remote/audit.log`)
    );
    const state = JSON.stringify(readState(world));
    const { seen, looks } = await sampler.stop();
    assert(looks > 20 && seen.size > 10, `${looks} looks, ${seen.size} command lines`);
    for (const text of [...scene.said, ...logs, ...vmLogs, state, ...seen]) {
      for (const key of keys) assert(!text.includes(key), `a key in: ${text.slice(0, 500)}`);
    }
  });
  assertEquals(await scene.daemon.stop(), 0);
  await scene.dom0(0, "audit", "verify");
  await untilNothingRuns(world);
});

async function revoking({ qubes, dom0 }: Scene): Promise<void> {
  const { world } = qubes;
  const go = `${world.folder}/go`;
  const waits = ["-c", `until [ -e '${go}' ]; do sleep 0.02; done; echo went on`];
  const other = qubes.client("lab", waits);
  const queue = await openQueue(world, "work");
  const id = await queue.publish("sleep 1201 & sleep 1201");
  await until("it runs", () => sleepers(qubes, 1201) === 2);
  const { stdout } = await dom0(0, "revoke", "work");
  assertStringIncludes(stdout, "The daemon ended its session and its commands.");
  const { outcome } = await queue.readAnswer(id); // the VM heard of it before its link was closed
  assertEquals([outcome.kind, outcome.exitCode], ["revoked", 126]);
  await until("its command is gone", () => sleepers(qubes, 1201) === 0);
  await until("its session is gone", () => !seenProcesses(world).some(isSession("work")));
  await until("its service is gone", () => !seenProcesses(world).some(isService("work")));
  const events = (): string =>
    readAudit(world).filter((record) => record.id === id).map(({ event }) => event).join(" ");
  await until("it is recorded", () => events() === "accepted revoked");
  assertEquals([stateOf(qubes, "work"), stateOf(qubes, "lab")], [undefined, "connected"]);

  // A new right is none of the old revocation's business, whatever other VMs still run.
  const fingerprint = (await qubes.client("work", ["key", "fingerprint"])).stdout.trim();
  const again = ["authorize", "--fetch", "--grant", "full", "--fingerprint", fingerprint, "work"];
  await dom0(0, ...again);
  const flood = "echo up >&2; until [ -e '$GO' ]; do sleep 0.02; done; head -c 2000000 /dev/zero";
  const asked = qubes.client("work", ["-c", flood.replace("$GO", `${go}-work`)]);
  await until("it runs", () => openOf(qubes, "work") === 1);
  await Deno.writeTextFile(go, "");
  assertEquals((await other).stdout, "went on\n");
  await until("lab is idle", () => openOf(qubes, "lab") === 0);
  await Deno.writeTextFile(`${go}-work`, "");
  const answer = await asked;
  assertEquals([answer.code, answer.stdout.length], [0, 2_000_000], answer.stderr);
  await dom0(0, "revoke", "work");
  assertEquals((await dom0(1, "revoke", "work")).stderr, "VM 'work' has no key\n");
}

async function lockingDown(scene: Scene): Promise<void> {
  const { qubes, dom0 } = scene;
  const running = ["work", "lab"].map((vm) => qubes.client(vm, ["-c", "echo up; sleep 1202"]));
  await until("both run", () => sleepers(qubes, 1202) === 2);
  await dom0(0, "lockdown");
  await until("nothing runs", () => sleepers(qubes, 1202) === 0);
  for (const { code, stdout } of await Promise.all(running)) {
    assertEquals([code, stdout], [126, "up\n"]);
  }
  const ends = readAudit(qubes.world).filter(({ event }) => event === "locked-down");
  assertEquals(ends.map(({ vm }) => vm).toSorted(), ["lab", "work"]);
  assertEquals((await qubes.client("work", ["echo", "x"])).code, 126);
  assertMatch((await dom0(0, "status")).stdout, /LOCKDOWN: nothing runs until unlock/);
  await scene.daemon.kill();
  scene.daemon = await qubes.startDaemon(["work", "lab"]);
  assertEquals(readState(qubes.world)?.lockdown, true);
  assertEquals((await qubes.client("lab", ["echo", "x"])).code, 126);
  await dom0(0, "unlock");
  assertEquals((await qubes.client("lab", ["echo", "x"])).stdout, "x\n");
  assertEquals((await dom0(1, "unlock")).stderr, "It was not locked down.\n");
}

/** Tries come after pauses that grow: only a watch can notice the VM well before the next one. */
async function startingLate(qubes: Installed): Promise<void> {
  const { world } = qubes;
  assert(stateOf(qubes, "late") !== "connected" && stateOf(qubes, "ghost") !== "connected");
  const upMs = (): number => Date.now() - Date.parse(readState(world)?.startedAt ?? "");
  const nextTryMs = (): number => {
    let atMs = 0;
    for (let waitMs = 250; atMs <= upMs(); waitMs *= 2) atMs += waitMs;
    return atMs - upMs();
  };
  while (nextTryMs() < 12_000) await new Promise((resolve) => setTimeout(resolve, 100));
  const limitMs = nextTryMs() - 500;
  await world.startVm("late");
  await until("late is connected", () => stateOf(qubes, "late") === "connected", limitMs);
}

async function looking({ qubes, dom0 }: Scene): Promise<void> {
  const { world } = qubes;
  const long = qubes.client("lab", ["sleep", "1000"]);
  await until(
    "it runs",
    () => readState(world)?.vms.find(({ vm }) => vm === "lab")?.open.length === 1,
  );
  const [, id = ""] = /^ {2}runs (\S+)$/m.exec((await dom0(0, "status")).stdout) ?? [];
  assertMatch((await dom0(0, "cancel", id)).stdout, new RegExp(`^${id} of lab is ended\n$`));
  assertMatch((await long).stderr, /cancelled/);
  assertMatch((await dom0(1, "cancel", id)).stderr, /no request .* runs or waits/);

  const go = `${world.folder}/go-on`;
  const script = `until [ -e '${go}' ]; do sleep 0.05; done; exit 9`;
  const asked = qubes.client("lab", ["-c", script]);
  await until(
    "it runs",
    () => readState(world)?.vms.find(({ vm }) => vm === "lab")?.open.length === 1,
  );

  const status = await dom0(0, "status");
  assertMatch(status.stdout, /^lab +connected +running=1 kept=0$/m);
  assertMatch(status.stdout, /^ghost +waiting +running=0 kept=0 +\(.+\)$/m);
  const json = JSON.parse((await dom0(0, "status", "--json")).stdout);
  assertEquals([json.running, json.vms.length, json.problems], [true, 4, []]);

  const fingerprint = (await qubes.client("lab", ["key", "fingerprint"])).stdout.trim();
  assertMatch((await dom0(0, "keys")).stdout, new RegExp(`^lab +${fingerprint}`, "m"));

  const queue = await dom0(0, "queue", "status", "lab");
  assertMatch(queue.stdout, /^lab: queue=\[P=0 R=1 D=0\]; dom0: running=1 kept=0\n$/);
  const debug = await dom0(0, "queue", "debug", "lab");
  assertMatch(debug.stdout, /^lab: dom0: running=1 kept=0; \d+ entries\n {2}running +\d+ "\d{8}-/);
  await Deno.writeTextFile(`${world.vmHome("lab")}/.qvm-remote/queue/pending/odd name`, "x");
  assertMatch((await dom0(0, "queue", "clean", "lab")).stdout, /removed=1/);
  // dom0 is connected: what runs is not given up.
  assertMatch((await dom0(0, "queue", "recover", "lab")).stdout, /R=1/);
  await Deno.writeTextFile(go, "");
  assertEquals((await asked).code, 9);
  const all = await dom0(1, "queue", "status"); // 1, since ghost does not answer
  assertEquals(all.stdout.trimEnd().split("\n").length, 4);

  const lines = async (...words: string[]): Promise<readonly string[]> =>
    (await dom0(0, "audit", "show", ...words)).stdout.trimEnd().split("\n");
  assert((await lines("--vm", "lab")).every((line) => line.includes("vm=lab")));
  const failed = await lines("--failed", "--vm", "lab", "-n", "1");
  assertEquals(failed.length, 1);
  assertMatch(failed[0] ?? "", /DONE vm=lab id=\S+ exit=9 /);
  assertEquals((await lines("-n", "5")).length, 5);
  assert((await lines("--since", "1h")).length > 20);
  assertEquals((await dom0(0, "audit", "show", "--since", "2099-01-01")).stdout, "");
  const record = JSON.parse((await lines("--json", "-n", "1"))[0] ?? "");
  assertEquals(typeof record.hash, "string");
}

Deno.test("operator: --once, --vm, --dry-run", async (t) => {
  await using qubes = await install([{ name: "work" }, { name: "lab" }]);
  const { world } = qubes;
  for (const vm of ["work", "lab"]) await qubes.authorize(vm);
  const queues = await Promise.all(["work", "lab"].map((vm) => openQueue(world, vm)));
  const [work, lab] = queues;
  assert(work !== undefined && lab !== undefined);
  const runs = `${world.folder}/runs`;
  const script = `echo "$QVM_REMOTE_ID" >>'${runs}'; echo x`;
  const run = async (...words: string[]): Promise<string> => {
    const end = await finish(qubes.spawnDom0([...qubes.groupWords, ...words]), "");
    assertEquals(end.code, 0, end.stderr);
    return end.stdout;
  };

  await t.step("--dry-run makes nothing where no daemon has run yet", async () => {
    const before = treeOf(world.dom0Root);
    await run("--dry-run", "--once");
    assertEquals(treeOf(world.dom0Root), before);
  });
  await t.step("--once serves all that waits, in every VM, and ends", async () => {
    const ids = await Promise.all(
      Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? work : lab).publish(script)),
    );
    await run("--once");
    ids.forEach((id, i) => assert((i % 2 === 0 ? work : lab).hasAnswer(id)));
    assertEquals(Deno.readTextFileSync(runs).trimEnd().split("\n").length, 40);
  });
  await t.step("--vm serves that one only", async () => {
    const [mine, other] = [await lab.publish(script), await work.publish(script)];
    await run("--once", "--vm", "lab");
    assert(lab.hasAnswer(mine) && !work.hasAnswer(other));
    await run("--once", "--vm", "work", "--vm", "lab");
    assert(work.hasAnswer(other));
  });
  await t.step("--dry-run changes nothing in dom0; the request runs later, once", async () => {
    const id = await work.publish(script);
    const before = treeOf(world.dom0Root);
    const said = await run("--dry-run", "--once");
    assertMatch(
      said,
      new RegExp(`^dry run: vm=work id=${id} would run, shell, 50-work\\.policy:4: "echo `, "m"),
    );
    assertEquals(treeOf(world.dom0Root), before);
    assert(!work.hasAnswer(id) && !Deno.readTextFileSync(runs).includes(id));
    await run("--once");
    assertEquals((await work.readAnswer(id)).outcome.kind, "done");
    assertEquals(Deno.readTextFileSync(runs).split("\n").filter((line) => line === id).length, 1);
  });
  await untilNothingRuns(world);
});

/** Every file and folder: mode, size, content. */
function treeOf(root: string): readonly string[] {
  const entries: string[] = [];
  const walk = (folder: string): void => {
    for (const { name, isDirectory, isFile } of Deno.readDirSync(folder)) {
      const path = `${folder}/${name}`;
      const mode = ((Deno.lstatSync(path).mode ?? 0) & 0o777).toString(8);
      const content = isFile ? Deno.readTextFileSync(path) : "";
      entries.push(`${path.slice(root.length)} ${mode} ${content}`);
      if (isDirectory) walk(path);
    }
  };
  walk(root);
  return entries.sort();
}

/** Options may not follow the words they go before: the VM comes last. */
function reorder(words: readonly string[], fingerprint: string): string[] {
  const [vm = "", option = ""] = words.slice(-2);
  return [...words.slice(0, -2), option, fingerprint, vm];
}

function keyOf({ world }: Installed, vm: string): string {
  return Deno.readTextFileSync(`${world.vmHome(vm)}/.qvm-remote/auth.key`).trim();
}

function stateOf({ world }: Installed, name: string): string | undefined {
  return readState(world)?.vms.find(({ vm }) => vm === name)?.state;
}

function openOf({ world }: Installed, name: string): number | undefined {
  return readState(world)?.vms.find(({ vm }) => vm === name)?.open.length;
}

function isKnown(qubes: Installed, vm: string): boolean {
  return stateOf(qubes, vm) !== undefined;
}

function sleepers({ world }: Installed, seconds: number): number {
  const isSleeper = ({ commandLine }: { commandLine: string }) =>
    commandLine === `sleep ${seconds}`;
  return seenProcesses(world).filter(isSleeper).length;
}

/** Looks at every command line of the world, again and again. */
function sampleCommandLines({ world }: Installed) {
  const seen = new Set<string>();
  let looks = 0;
  let stopped = false;
  const loop = (async () => {
    for (; !stopped; looks++) {
      for (const { commandLine } of seenProcesses(world)) seen.add(commandLine);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  })();
  return {
    async stop() {
      stopped = true;
      await loop;
      return { seen, looks };
    },
  };
}
