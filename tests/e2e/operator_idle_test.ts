// SPDX-License-Identifier: GPL-2.0-or-later
/** A system where nobody asks for anything, or waits for a person, does nothing: no process, next to no CPU time. */
import { assert, assertEquals } from "@std/assert";
import { install, type Installed, until } from "./installed.ts";
import { isService, type SeenProcess, seenProcesses } from "./seen_processes.ts";

const VMS = ["work", "lab", "mail"] as const;
/** More than one ping; half a minute after its last work V8 tidies its heap, once. */
const WATCHED_MS = 21_000;
const LOOK_EVERY_MS = 250;
const MAX_PART = 0.001;
/** In which Linux counts CPU time. */
const TICK_MS = 10;

Deno.test("idle: no process is started and no CPU time is used", async () => {
  await using qubes = await install(VMS.map((name) => ({ name })));
  const { world } = qubes;
  for (const vm of VMS) await qubes.authorize(vm);
  const daemon = await qubes.startDaemon(VMS);
  for (const vm of VMS) {
    assertEquals((await qubes.client(vm, ["-t", "20", "echo", "x"])).stdout, "x\n");
  }
  const waiting = await park(qubes);
  await pause(3_000); // what a start and a first command leave to be done

  const services = VMS.map((vm) => {
    const { pid = 0 } = seenProcesses(world).find(isService(vm)) ?? {};
    assert(pid > 0, `no service in ${vm}`);
    return pid;
  });
  const watched = [daemon.pid, ...services, waiting.pid];
  const pidsOf = (): string => seenProcesses(world).map(({ pid }) => pid).sort().join(" ");
  const before = { pids: pidsOf(), uses: watched.map(usedBy) };
  const startedMs = performance.now();
  while (performance.now() - startedMs < WATCHED_MS) {
    await pause(LOOK_EVERY_MS);
    assertEquals(pidsOf(), before.pids, "a process came or went");
  }
  const watchedMs = performance.now() - startedMs;
  const after = watched.map(usedBy);
  const parts = after.map(({ cpuMs }, i) => (cpuMs - (before.uses[i]?.cpuMs ?? 0)) / watchedMs);
  const shown = parts.map((part) => `${(100 * part).toFixed(2)} %`);
  const memory = watched.map((pid) => `${Math.round(residentKiB(pid) / 1024)} MiB`);
  const report = `CPU of daemon, services and a client that waits: ${shown.join(", ")}; RSS: ${
    memory.join(", ")
  }`;
  assert(parts.every((part) => part < MAX_PART), report);
  // Counted by the kernel when a child is waited for, however short its life.
  assertEquals(
    after.map(({ childFaults }) => childFaults),
    before.uses.map(({ childFaults }) => childFaults),
    "a child was started and has ended",
  );
  console.log(report);
  const { stdout } = await qubes.dom0(["pending", "--json"]);
  const [{ id }] = JSON.parse(stdout);
  assertEquals((await qubes.dom0(["approve", "--yes", id])).code, 0, "it still waits");
  assertEquals((await waiting.end).code, 0);
  assertEquals(await daemon.stop(), 0);
});

/** A request that waits for a person costs nothing while it waits, nor does its client. */
async function park(
  qubes: Installed,
): Promise<{ readonly end: Promise<Deno.CommandOutput>; readonly pid: number }> {
  const rule = `${qubes.world.dom0Root}/etc/qubes/remote-policy.d/10-ask.policy`;
  await Deno.writeTextFile(rule, "shell lab * ask\n", { mode: 0o600 });
  let client = qubes.spawnClient("lab", ["true"]);
  let end = client.output();
  let hasEnded = false;
  const note = (): void => void end.then(() => hasEnded = true);
  note();
  await until("it waits", async () => {
    if (hasEnded) { // the rule was not taken up yet
      client = qubes.spawnClient("lab", ["true"]);
      [end, hasEnded] = [client.output(), false];
      note();
    }
    return (await qubes.dom0(["pending"])).stdout.includes("lab");
  });
  const isClient = ({ vm, commandLine }: SeenProcess): boolean =>
    vm === "lab" && /qvm-remote\.(ts|js)/.test(commandLine);
  const { pid } = seenProcesses(qubes.world).find(isClient) ?? { pid: 0 };
  assert(pid > 0, "no client");
  return { end, pid };
}

interface Use {
  readonly cpuMs: number;
  readonly childFaults: number;
}

/** Of all its threads, those that have ended too. */
function usedBy(pid: number): Use {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
  const [childMinor = 0, childMajor = 0, user = 0, system = 0] = [8, 10, 11, 12].map((i) =>
    fields[i]
  );
  return { cpuMs: TICK_MS * (user + system), childFaults: childMinor + childMajor };
}

function residentKiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1]);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
