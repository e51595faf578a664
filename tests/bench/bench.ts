// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * "make bench": what a command costs, through the installed programs on the simulated Qubes.
 * Each figure stands beside the goal, and beside a baseline measured in the same run: a bare
 * qrexec call and a bare start of Deno. Prints a table, writes build/bench.json.
 *
 * QVM_REMOTE_BENCH_CGROUP=DIR runs the commands in cgroups below DIR, as the unit does.
 *
 * @module
 */

import { writeAll } from "../../shared/io/program.ts";
import { finish, install, type Installed } from "../e2e/installed.ts";
import { PROJECT } from "../e2e/program_flags.ts";
import { measureIdle } from "./idle.ts";
import { openPublisher, type Publisher } from "./publisher.ts";

/** The Python original on the same kind of machine, with a qvm-run that costs nothing. */
const ORIGINAL = { run: 1036, published: 1000, perSecond: 7, idleRssMb: 18 } as const;

interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The largest good value, or the smallest where more is better. */
  readonly goal: number;
  readonly moreIsBetter?: boolean;
  readonly original?: number;
  /** What the value is compared with, measured in this run. */
  readonly baseline?: { readonly name: string; readonly value: number };
}

async function main(): Promise<number> {
  const cgroup = Deno.env.get("QVM_REMOTE_BENCH_CGROUP");
  await using qubes = await install([{ name: "work" }, { name: "lab" }, { name: "idle" }]);
  for (const vm of ["work", "lab", "idle"]) await qubes.authorize(vm);
  const words = cgroup === undefined ? [] : ["--cgroup", cgroup];
  const daemon = await qubes.startDaemon(["work", "lab", "idle"], ...words);
  const figures: Figure[] = [];
  const add = (figure: Figure): void => {
    figures.push(figure);
    writeAll(Deno.stdout, describe(figure));
  };

  await benchClient(qubes, add);
  const publisher = await openPublisher(qubes.world.vmHome("work"), "work");
  await benchPublished(publisher, add);
  await benchThroughput(publisher, add);
  publisher.close();
  await benchStreaming(qubes, add);
  await benchIdle(qubes, daemon.pid, add);
  const code = await daemon.stop();

  await Deno.mkdir(`${PROJECT}/build`, { recursive: true });
  const report = {
    deno: Deno.version.deno,
    built: Deno.env.get("QVM_REMOTE_BUILT") ?? null,
    figures,
  };
  await Deno.writeTextFile(`${PROJECT}/build/bench.json`, JSON.stringify(report, null, 2) + "\n");
  return code;
}

type Add = (figure: Figure) => void;

/** The whole client, against what nothing can be faster than: its runtime and one qrexec call. */
async function benchClient({ world, client }: Installed, add: Add): Promise<void> {
  const rounds = 40;
  const empty = `${world.folder}/empty.js`;
  await Deno.writeTextFile(empty, "");
  const run = (program: string, args: readonly string[]) =>
    new Deno.Command(program, { args: [...args], clearEnv: true, env: world.dom0Env() }).output();
  const call = (): Promise<unknown> =>
    run(`${world.dom0Bin}/qrexec-client`, ["-d", "work", "DEFAULT:true"]);
  const bareDeno = (): Promise<unknown> => run(Deno.execPath(), ["run", "--no-config", empty]);
  const whole = (): Promise<unknown> => client("work", ["true"]);
  const times = await interleaved(rounds, { call, bareDeno, whole });
  const baseline = times.call.p50 + times.bareDeno.p50;
  const bare = { name: "qrexec-client true + empty Deno script", value: baseline };
  const original = ORIGINAL.run;
  add({
    name: "qvm-remote true, start to exit, p50",
    value: times.whole.p50,
    unit: "ms",
    goal: 60,
    original,
    baseline: bare,
  });
  add({ name: "the same, p99", value: times.whole.p99, unit: "ms", goal: 180, baseline: bare });
  add({
    name: "the same, as a multiple of the baseline",
    value: times.whole.p50 / baseline,
    unit: "x",
    goal: 3,
  });
}

async function benchPublished(publisher: Publisher, add: Add): Promise<void> {
  for (let i = 0; i < 20; i++) await publisher.run("true");
  const { run } = await interleaved(300, { run: () => publisher.run("true") });
  const original = ORIGINAL.published;
  add({ name: "published to outcome, p50", value: run.p50, unit: "ms", goal: 8, original });
  add({ name: "published to outcome, p99", value: run.p99, unit: "ms", goal: 25 });
}

async function benchThroughput(publisher: Publisher, add: Add): Promise<void> {
  const total = 800;
  let left = total;
  const started = performance.now();
  const one = async (): Promise<void> => {
    while (left-- > 0) await publisher.run("true");
  };
  await Promise.all(Array.from({ length: 8 }, one));
  const perSecond = 1000 * total / (performance.now() - started);
  const original = ORIGINAL.perSecond;
  add({
    name: "commands per second, 8 at once",
    value: perSecond,
    unit: "/s",
    goal: 200,
    moreIsBetter: true,
    original,
  });
}

/** A command prints the time of the write; the client's reader looks at its clock. */
async function benchStreaming({ spawnClient }: Installed, add: Add): Promise<void> {
  const delays: number[] = [];
  for (let round = 0; round < 15; round++) {
    const child = spawnClient("work", ["sleep 0.15; date +%s%N; sleep 0.15"]);
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    const arrivedMs = performance.timeOrigin + performance.now();
    delays.push(arrivedMs - Number(new TextDecoder().decode(value)) / 1e6);
    reader.releaseLock();
    await finish(child);
  }
  add({
    name: "first byte of output after it was written, p50",
    value: summary(delays).p50,
    unit: "ms",
    goal: 15,
  });
}

async function benchIdle({ world }: Installed, daemonPid: number, add: Add): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const idle = await measureIdle(daemonPid, world.folder, 30_000);
  add({
    name: "idle 30 s, three VMs: processes started",
    value: idle.processesStarted,
    unit: "",
    goal: 0,
  });
  add({
    name: "idle: CPU of daemon and queue services",
    value: idle.cpuPercent,
    unit: "%",
    goal: 0.1,
  });
  add({
    name: "idle: memory of the daemon (RSS)",
    value: idle.daemonRssMb,
    unit: "MB",
    goal: 70,
    original: ORIGINAL.idleRssMb,
  });
}

interface Summary {
  readonly p50: number;
  readonly p99: number;
}

/** One round of each after the other, so that a slow moment of the machine hits all alike. */
async function interleaved<Name extends string>(
  rounds: number,
  runs: Readonly<Record<Name, () => Promise<unknown>>>,
): Promise<Record<Name, Summary>> {
  const names = Object.keys(runs) as Name[];
  const times = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const started = performance.now();
      await runs[name]();
      times.get(name)?.push(performance.now() - started);
    }
  }
  return Object.fromEntries(names.map((name) => [name, summary(times.get(name) ?? [])])) as Record<
    Name,
    Summary
  >;
}

function summary(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

function describe(
  { name, value, unit, goal, moreIsBetter = false, original, baseline }: Figure,
): string {
  const met = moreIsBetter ? value >= goal : value <= goal;
  const rest = [
    `goal ${moreIsBetter ? ">=" : "<="} ${goal}${unit}`,
    ...(original === undefined ? [] : [`original ${original}${unit}`]),
    ...(baseline === undefined ? [] : [
      `${(value / baseline.value).toFixed(2)} x ${baseline.name} (${
        baseline.value.toFixed(1)
      }${unit})`,
    ]),
  ];
  return `${met ? "met   " : "MISSED"} ${name.padEnd(48)} ${value.toFixed(2).padStart(9)} ${
    unit.padEnd(3)
  } ${rest.join(", ")}\n`;
}

if (import.meta.main) {
  Deno.exit(await main());
}
