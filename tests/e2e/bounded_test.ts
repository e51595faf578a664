// SPDX-License-Identifier: GPL-2.0-or-later
/** What a command, or a VM that does not read, may cost dom0 and the other VMs. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { WHY_NO_CGROUP } from "../cgroup.ts";
import { sealScript } from "./attack_request.ts";
import { assertCleanRecords, assertPrompt, assertSmall, keepAsking } from "./hostile_scene.ts";
import { type HostileSession, type HostileVm, hostileVm } from "./hostile_vm.ts";
import { finish, install, type Installed, readAudit, until } from "./installed.ts";

const MAX_OUTPUT_BYTES = 10 * 1024 * 1024; // the default
const MAX_PROCESSES = 50;
const LINES = "yes 0123456789";

Deno.test("output and processes of a command are bounded", async (t) => {
  await using qubes = await install([{ name: "loud" }, { name: "calm" }]);
  await qubes.configure([`QVM_REMOTE_MAX_PROCESSES=${MAX_PROCESSES}`]);
  await qubes.authorize("loud");
  await qubes.authorize("calm");
  const daemon = await qubes.startDaemon(["loud", "calm"]);
  const calm = keepAsking(qubes, "calm");
  const expected = {
    zeroes: sha256(new Uint8Array(MAX_OUTPUT_BYTES)),
    lines: sha256(linesUpTo("0123456789\n", MAX_OUTPUT_BYTES)),
  };

  await t.step("400 MB: the first 10 MiB arrive, the rest is cut off", async () => {
    const child = qubes.spawnClient("loud", ["-q", "head -c 400M /dev/zero"]);
    const { code, stdout, stderr } = await child.output();
    assertEquals([code, stdout.length, sha256(stdout)], [
      137,
      MAX_OUTPUT_BYTES,
      expected.zeroes,
    ], new TextDecoder().decode(stderr));
  });
  await t.step("output without end, to a client that reads slowly", async () => {
    const child = qubes.spawnClient("loud", ["-q", LINES]);
    const hash = createHash("sha256");
    for await (const part of child.stdout) {
      hash.update(part);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await child.stderr.cancel();
    assertEquals([(await child.status).code, hash.digest("hex")], [137, expected.lines]);
  });
  await t.step("both streams at once", async () => {
    const script = `${LINES} & ${LINES} >&2`;
    const { code, stdout, stderr } = await qubes.spawnClient("loud", ["-q", script]).output();
    assertEquals(code, 137);
    const most = Math.max(stdout.length, stderr.length);
    assert(most >= MAX_OUTPUT_BYTES && most < MAX_OUTPUT_BYTES + 1000, `${most}`);
  });
  await t.step("the audit says why", () => {
    const ends = readAudit(qubes.world).filter(({ event }) => event === "output-limit");
    assertEquals(ends.map(({ vm, exit }) => [vm, exit]), [["loud", 137], ["loud", 137], [
      "loud",
      137,
    ]]);
  });
  await t.step("a fork bomb is ended", () => bomb(qubes, "loud"));
  await t.step("processes that a command leaves are ended with it", async () => {
    await Promise.all(LEAVERS.map((leaver) => leave(qubes, "loud", leaver)));
  });
  await t.step("a cancelled command leaves nothing", () => cancel(qubes, "loud"));
  await t.step("the daemon stayed small, and the other VM was served", async () => {
    assertPrompt(await calm.stop());
    assertSmall(daemon);
    await assertCleanRecords(qubes, daemon);
  });
  assertEquals(await daemon.stop(), 0);
});

Deno.test({
  name: `what only a cgroup holds is ended too${WHY_NO_CGROUP}`,
  ignore: WHY_NO_CGROUP !== "",
  async fn() {
    await using qubes = await install([{ name: "loud" }]);
    await qubes.configure([`QVM_REMOTE_MAX_PROCESSES=${MAX_PROCESSES}`]);
    await qubes.authorize("loud");
    const daemon = await qubes.startDaemon(["loud"]);
    const [started] = readAudit(qubes.world).filter(({ event }) => event === "started");
    assertEquals(started?.groups, "cgroup");
    await leave(qubes, "loud", ONLY_IN_CGROUP);
    assertSmall(daemon);
    assertEquals(await daemon.stop(), 0);
  },
});

Deno.test("without a cgroup, processes of a command are counted, and end with it", async () => {
  await using qubes = await install([{ name: "loud" }]);
  await qubes.configure([`QVM_REMOTE_MAX_PROCESSES=${MAX_PROCESSES}`]);
  await qubes.authorize("loud");
  const daemon = await qubes.startDaemon(["loud"], "--no-cgroup");
  const status = await qubes.dom0(["status"]);
  assertStringIncludes(status.stdout, "processes NOT ENFORCED, memory NOT ENFORCED (no cgroups");
  await bomb(qubes, "loud");
  await Promise.all(LEAVERS.map((leaver) => leave(qubes, "loud", leaver)));
  await cancel(qubes, "loud");
  assertEquals(await daemon.stop(), 0);
});

Deno.test("a VM that does not read stops only itself", async (t) => {
  await using qubes = await install([{ name: "slow" }, { name: "deaf" }, { name: "calm" }]);
  await qubes.authorize("slow");
  await qubes.authorize("calm");
  await using deaf = await hostileVm(qubes, "deaf");
  const daemon = await qubes.startDaemon(["slow", "calm"]);
  const calm = keepAsking(qubes, "calm");
  const expected = sha256(linesUpTo("0123456789\n", 5_000_000));

  for (const direction of ["toVm", "fromVm"] as const) {
    await t.step(`nothing is relayed ${direction}, then all of it`, async () => {
      const before = accepted(qubes, "slow");
      const child = qubes.spawnClient("slow", ["-q", `${LINES} | head -c 5000000`]);
      const output = child.output();
      await until("the command runs", () => accepted(qubes, "slow") > before);
      await qubes.world.setFaults("slow", {
        stall: { toVm: direction === "toVm", fromVm: direction === "fromVm" },
      });
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      await qubes.world.clearFaults("slow");
      const { code, stdout } = await output;
      assertEquals([code, sha256(stdout)], [0, expected]);
    });
  }
  await t.step("a VM that asks for 12 x 400 MB and reads nothing", async () => {
    const session = await deaf.session();
    const credit = await session.greet();
    assert(credit >= 12);
    session.pause();
    for (let seq = 1; seq <= 12; seq++) {
      const envelope = await sealScript(deaf.vm, deaf.key, "head -c 400M /dev/zero\n");
      await session.say({ kind: "request", seq, envelope });
    }
    const ended = (): number =>
      readAudit(qubes.world).filter(({ event, vm }) => event === "output-limit" && vm === "deaf")
        .length;
    await until("all have ended", () => ended() === 12, 60_000);
    session.resume();
    const zeroes = sha256(new Uint8Array(MAX_OUTPUT_BYTES));
    for (let left = 12; left > 0; left--) {
      const { outcome, seq } = await readOutcome(session);
      assertEquals([outcome.kind, outcome.exitCode, outcome.out.bytes, outcome.out.sha256], [
        "output-limit",
        137,
        MAX_OUTPUT_BYTES,
        zeroes,
      ]);
      await session.say({ kind: "ack", seq });
    }
    session.close();
  });
  await t.step("bodies of 1 MiB that wait for their turn do not wait in memory", async () => {
    for (let round = 0; round < 3; round++) await holdBodies(deaf);
  });
  await t.step("the daemon stayed small, and the other VM was served", async () => {
    assertPrompt(await calm.stop());
    assertSmall(daemon);
  });
  assertEquals(await daemon.stop(), 0);
});

Deno.test("one VM cannot starve another", async (t) => {
  await using qubes = await install([{ name: "greedy" }, { name: "second" }, { name: "calm" }]);
  await qubes.configure(["QVM_REMOTE_PARALLEL=8", "QVM_REMOTE_PARALLEL_PER_VM=5"]);
  await qubes.authorize("calm");
  await using greedy = await hostileVm(qubes, "greedy");
  await using second = await hostileVm(qubes, "second");
  const daemon = await qubes.startDaemon(["calm"]);
  const counts = `${qubes.world.dom0Root}/counts`;
  await Deno.mkdir(`${counts}/now`, { recursive: true });
  // Each says how many run, itself included: of its VM, and of all.
  const script = `cd '${counts}'
: >now/$QVM_REMOTE_VM.$$
{ ls now | wc -l; ls now | grep -c "^$QVM_REMOTE_VM"; } | xargs >seen.$$
sleep 0.2
rm -f now/$QVM_REMOTE_VM.$$
`;
  await t.step("alone, a command of the other VM does not wait for 200", async () => {
    const flooding = flood(greedy, script, 200);
    const alsoFlooding = flood(second, script, 40);
    await until("the flood runs", () => [...Deno.readDirSync(counts)].length > 10);
    let over = false;
    const floods = Promise.all([flooding, alsoFlooding]).then(() => over = true);
    // Some 8 s of the flood are ahead of it; its turn comes when one of eight ends.
    for (let n = 0; n < 5; n++) assertEquals((await qubes.client("calm", ["true"])).code, 0);
    assert(!over, "it waited for all of the flood");
    await floods;
  });
  await t.step("no more ran at once than may, of one VM and of all", () => {
    const seen = [...Deno.readDirSync(counts)].filter(({ name }) => name.startsWith("seen."))
      .map(({ name }) => Deno.readTextFileSync(`${counts}/${name}`).trim().split(" ").map(Number));
    const most = [0, 1].map((column) => Math.max(...seen.map((line) => line[column] ?? 0)));
    assertEquals(seen.length, 240);
    assert((most[0] ?? 9) <= 8 && most[1] === 5, `${most}`);
  });
  assertSmall(daemon);
  assertEquals(await daemon.stop(), 0);
});

/** Never more than 500 processes, whatever happens. */
const BOMB = `
for i in $(seq 250); do (sleep SECONDS & sleep SECONDS) & done
wait
`;

async function bomb(qubes: Installed, vm: string): Promise<void> {
  const seconds = uniqueSeconds();
  const { code, stderr } = await finish(
    qubes.spawnClient(vm, ["-q", BOMB.replaceAll("SECONDS", seconds)]),
  );
  assertEquals(code, 137, stderr);
  assert(readAudit(qubes.world).some(({ event }) => event === "process-limit"));
  assertEquals(sleepers(seconds), []);
}

/** Background children of every kind; SECONDS is a number that nobody else sleeps for. */
const BACKGROUND = `
sleep SECONDS &
nohup sleep SECONDS >/dev/null 2>&1 &
setsid sleep SECONDS >/dev/null 2>&1 &
(setsid bash -c 'trap "" TERM HUP INT; sleep SECONDS & wait; wait' &) &
env -i sleep SECONDS >/dev/null 2>&1 &
(trap "" TERM HUP; sleep SECONDS; sleep SECONDS) &
sleep 0.3
`;

interface Leaver {
  readonly words: readonly string[];
  readonly script: string;
  readonly exit: number;
}

/** Ended by itself, by its time, by a signal, and by its time though it is deaf to TERM. */
const LEAVERS: readonly Leaver[] = [
  { words: [], script: `${BACKGROUND}exit 3`, exit: 3 },
  { words: ["-t", "1"], script: `${BACKGROUND}sleep SECONDS`, exit: 124 },
  { words: [], script: `${BACKGROUND}kill -9 $$`, exit: 137 },
  { words: ["-t", "1"], script: `trap "" TERM\n${BACKGROUND}wait\nwait`, exit: 124 },
];

/** Out of the session, and with an environment of its own: only a cgroup holds this one. */
const ONLY_IN_CGROUP: Leaver = {
  words: [],
  script: "setsid env -i sleep SECONDS & sleep 0.2",
  exit: 0,
};

async function leave(
  qubes: Installed,
  vm: string,
  { words, script, exit }: Leaver,
): Promise<void> {
  const seconds = uniqueSeconds();
  const text = script.replaceAll("SECONDS", seconds);
  const { code, stderr } = await qubes.client(vm, ["-q", ...words, "-c", text]);
  assertEquals(code, exit, stderr);
  await until("no process is left", () => sleepers(seconds).length === 0);
}

async function cancel(qubes: Installed, vm: string): Promise<void> {
  const seconds = uniqueSeconds();
  const text = `${BACKGROUND}sleep SECONDS`.replaceAll("SECONDS", seconds);
  const child = qubes.spawnClient(vm, ["-q", "-c", text]);
  await until("it runs", () => sleepers(seconds).length >= 7);
  child.kill("SIGINT");
  assertEquals((await finish(child)).code, 130);
  await until("no process is left", () => sleepers(seconds).length === 0);
}

function uniqueSeconds(): string {
  return `300.${crypto.getRandomValues(new Uint32Array(1))[0]}`;
}

/** The processes that sleep for that time, or are about to. */
function sleepers(seconds: string): number[] {
  return Array.from(Deno.readDirSync("/proc"), ({ name }) => Number(name)).filter((pid) => {
    if (Number.isNaN(pid) || pid === Deno.pid) return false;
    try {
      const words = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
      return words[0] === "sleep" && words[1] === seconds;
    } catch {
      return false; // it ended
    }
  });
}

/** How many commands of the VM were taken. */
function accepted({ world }: Installed, name: string): number {
  return readAudit(world).filter(({ event, vm }) => event === "accepted" && vm === name).length;
}

/** Confirms output as it comes, until an outcome comes. */
async function readOutcome(session: HostileSession) {
  for (;;) {
    const message = await session.nextOf(["output", "outcome"]);
    if (message.kind === "outcome") return message;
    await session.say({ kind: "window", seq: message.seq, bytes: message.data.length });
  }
}

/** As many requests as it may, each with a body of nearly 1 MiB; then it is gone. */
async function holdBodies(vm: HostileVm): Promise<void> {
  const session = await vm.session();
  const credit = await session.greet();
  const body = new Uint8Array(1024 * 1024 - 10).fill(0x20);
  body.set(new TextEncoder().encode("sleep 2\n#"));
  for (let seq = 1; seq <= credit; seq++) {
    const envelope = await sealScript(vm.vm, vm.key, "", { body });
    if (!await session.say({ kind: "request", seq, envelope })) break;
  }
  session.close();
}

/** Sends so many requests as fast as it may, and acknowledges each answer. */
async function flood(vm: HostileVm, script: string, count: number): Promise<void> {
  const session = await vm.session();
  let credit = await session.greet();
  let [sent, done] = [0, 0];
  while (done < count) {
    for (; credit > 0 && sent < count; credit--) {
      const envelope = await sealScript(vm.vm, vm.key, script);
      await session.say({ kind: "request", seq: ++sent, envelope });
    }
    const message = await session.nextOf(["outcome", "credit"]);
    if (message.kind === "credit") {
      credit += message.count;
      continue;
    }
    assertEquals(message.outcome.kind, "done");
    await session.say({ kind: "ack", seq: message.seq });
    done++;
  }
  session.close();
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function linesUpTo(line: string, bytes: number): Uint8Array {
  return new TextEncoder().encode(line.repeat(Math.ceil(bytes / line.length))).subarray(0, bytes);
}
