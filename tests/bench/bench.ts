// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * "make bench": what a command costs, through the installed programs on the simulated Qubes.
 * Each figure stands beside the goal, and beside a baseline measured in the same run: a bare
 * qrexec call and a bare start of Deno. Prints a table, writes build/bench.json. Its argument
 * "transfer" leaves all out but the copying.
 *
 * @module
 */

import { recogniseNamed } from "../../dom0/operations/recognise.ts";
import type { OperationCall } from "../../shared/protocol/command.ts";
import { finish, install, type Installed } from "../e2e/installed.ts";
import { benchDaemonParts } from "./daemon_parts.ts";
import { measureIdle } from "./idle.ts";
import { type Add, interleaved, startReport, summary } from "./measure.ts";
import { benchMcpMemory } from "./mcp_memory.ts";
import { benchStarts } from "./starts.ts";
import { benchTransfer } from "./transfer_parts.ts";
import { openPublisher, type Publisher } from "./publisher.ts";
import { useRealQrexec } from "./real_qrexec.ts";

/** The Python original on the same kind of machine, with a qvm-run that costs nothing. */
const ORIGINAL = { run: 1036, published: 1000, perSecond: 7, idleRssMb: 18 } as const;

async function main(part: string | undefined): Promise<number> {
  await using qubes = await install([{ name: "work" }, { name: "lab" }, { name: "idle" }]);
  for (const vm of ["work", "lab", "idle"]) await qubes.authorize(vm);
  const qrexec = part === "transfer" ? useRealQrexec(qubes.world, "work") : null;
  const daemon = await qubes.startDaemon(["work", "lab", "idle"]);
  const { add, write } = startReport();

  if (part !== "transfer") await benchCommands(qubes, add);
  await benchTransfer(qubes, qrexec, daemon.pid, add);
  if (part !== "transfer") await benchIdle(qubes, daemon.pid, add);
  const code = await daemon.stop();
  qrexec?.remove();

  await write("bench.json");
  return code;
}

async function benchCommands(qubes: Installed, add: Add): Promise<void> {
  await benchDaemonParts(add);
  const built = Deno.env.get("QVM_REMOTE_BUILT");
  if (built !== undefined) {
    await benchStarts(built, add);
    await benchMcpMemory(built, add);
  }
  await benchClient(qubes, add);
  const publisher = await openPublisher(qubes.world.vmHome("work"), "work");
  await benchPublished(publisher, add);
  await benchOperation(qubes, publisher, add);
  await benchThroughput(publisher, add);
  publisher.close();
  await benchStreaming(qubes, add);
}

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

/** What an operation costs beside the tool of Qubes that it runs. */
async function benchOperation(
  { world, client }: Installed,
  publisher: Publisher,
  add: Add,
): Promise<void> {
  const call: OperationCall = { mode: "op", name: "vm.list", pairs: [] };
  const [program = "", ...args] = recogniseNamed(call.name, []).argvs[0] ?? [];
  const tool = (): Promise<unknown> =>
    new Deno.Command(`${world.dom0Bin}/${program}`, {
      args,
      clearEnv: true,
      env: world.dom0Env(),
    }).output();
  const published = (): Promise<unknown> => publisher.run(call);
  const plain = (): Promise<unknown> => client("work", ["true"]);
  const whole = (): Promise<unknown> => client("work", ["op", "vm.list"]);
  const times = await interleaved(40, { tool, published, plain, whole });
  add({ name: "qvm-ls --raw-data itself, p50", value: times.tool.p50, unit: "ms" });
  const goal = 20;
  add({
    name: "op vm.list, published to outcome, beyond qvm-ls, p50",
    value: times.published.p50 - times.tool.p50,
    unit: "ms",
    goal,
  });
  add({
    name: "qvm-remote op vm.list, beyond qvm-ls and qvm-remote true, p50",
    value: times.whole.p50 - times.tool.p50 - times.plain.p50,
    unit: "ms",
    goal,
  });
  add({
    name: "qvm-remote op vm.list, start to exit, beyond qvm-ls, p50",
    value: times.whole.p50 - times.tool.p50,
    unit: "ms",
    goal,
  });
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
  await new Promise((resolve) => setTimeout(resolve, 15_000)); // what the load left is collected
  const idle = await measureIdle(daemonPid, world.folder, 60_000);
  add({
    name: "idle 60 s, three VMs: processes started",
    value: idle.processesStarted,
    unit: "",
    goal: 0,
  });
  add({
    name: "idle: CPU of the daemon",
    value: idle.daemonCpuPercent,
    unit: "%",
    goal: 0.1,
  });
  add({
    name: "idle: CPU of a queue service, the busiest",
    value: idle.queueCpuPercent,
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

if (import.meta.main) {
  Deno.exit(await main(Deno.args[0]));
}
