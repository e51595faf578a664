// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What copying costs: push, pull and stdin beside "qvm-run --pass-io VM cat > file" over the same
 * qrexec, and what a third VM notices while two push. The qrexec is the simulated one: a real one has to
 * be measured on a machine that has it.
 *
 * @module
 */

import { finish, type Installed } from "../e2e/installed.ts";
import { type Add, interleaved } from "./measure.ts";
import { rssMb } from "./proc.ts";
import { openPublisher } from "./publisher.ts";

const FILE_MIB = 256;
const MIB = 1024 * 1024;
const ROUNDS = 3;
const PUSHERS = ["work", "lab"] as const;
const THIRD = "idle";

export async function benchTransfer(
  qubes: Installed,
  daemonPid: number,
  add: Add,
): Promise<void> {
  const { world } = qubes;
  const folder = `${Deno.realPathSync(world.folder)}/copied`;
  Deno.mkdirSync(folder);
  const source = (vm: string): string => `${world.vmHome(vm)}/large`;
  for (const vm of PUSHERS) writeLarge(source(vm));
  await benchWays(qubes, folder, source("work"), add);
  const before = rssMb(daemonPid);
  await benchThird(qubes, folder, source, add);
  add({
    name: `memory of the daemon after ${2 * FILE_MIB} MiB at once, beyond that before`,
    value: rssMb(daemonPid) - before,
    unit: "MB",
    goal: 30,
  });
}

/** Incompressible, and no two blocks alike. */
function writeLarge(path: string): void {
  using file = Deno.openSync(path, { write: true, create: true });
  const block = new Uint8Array(MIB);
  for (let at = 0; at < MIB; at += 65536) crypto.getRandomValues(block.subarray(at, at + 65536));
  for (let n = 0; n < FILE_MIB; n++) {
    block[0] = n;
    file.writeSync(block);
  }
}

async function benchWays(
  { world, client, spawnClient }: Installed,
  folder: string,
  source: string,
  add: Add,
): Promise<void> {
  const good = async (words: readonly string[]): Promise<void> => {
    const { code, stderr } = await client("work", words);
    if (code !== 0) throw new Error(stderr);
  };
  const passIo = async (): Promise<void> => {
    const { success } = await new Deno.Command("/bin/sh", {
      args: ["-c", `'${world.dom0Bin}/qvm-run' --pass-io work "cat '${source}'" >'${folder}/raw'`],
      clearEnv: true,
      env: world.dom0Env(),
    }).output();
    if (!success) throw new Error("qvm-run failed");
  };
  const push = (): Promise<void> => good(["push", "--force", source, `${folder}/pushed`]);
  const pull = (): Promise<void> => good(["pull", "--force", `${folder}/raw`, `${source}.back`]);
  const stdin = async (): Promise<void> => {
    const child = spawnClient("work", ["-i", "cat >/dev/null"], "piped");
    using file = await Deno.open(source, { read: true });
    const [{ code, stderr }] = await Promise.all([
      finish(child),
      file.readable.pipeTo(child.stdin),
    ]);
    if (code !== 0) throw new Error(stderr);
  };
  await passIo();
  const times = await interleaved(ROUNDS, { passIo, push, pull, stdin });
  const speed = (ms: number): number => 1000 * FILE_MIB / ms;
  const baseline = { name: "qvm-run --pass-io cat > file", value: speed(times.passIo.p50) };
  for (const way of ["push", "pull", "stdin"] as const) {
    const value = speed(times[way].p50);
    add({ name: `${way} of ${FILE_MIB} MiB`, value, unit: "MiB/s", moreIsBetter: true, baseline });
    add({
      name: "the same, as a part of qvm-run --pass-io",
      value: value / baseline.value,
      unit: "x",
      goal: 0.6,
      moreIsBetter: true,
    });
  }
}

/** "true" of a VM that has nothing to do with it, at rest and while two others push. */
async function benchThird(
  { world, spawnClient }: Installed,
  folder: string,
  source: (vm: string) => string,
  add: Add,
): Promise<void> {
  const publisher = await openPublisher(world.vmHome(THIRD), THIRD);
  const run = (): Promise<void> => publisher.run("true");
  const alone = await interleaved(100, { run });
  let isOver = false;
  const pushing = Promise.all(PUSHERS.map(async (vm) => {
    for (let n = 0; !isOver; n++) {
      await spawnClient(vm, ["push", "--force", source(vm), `${folder}/${vm}`]).output();
    }
  }));
  await new Promise((resolve) => setTimeout(resolve, 2_000)); // they are at it
  const beside = await interleaved(100, { run });
  isOver = true;
  await pushing;
  publisher.close();
  add({
    name: "true of a third VM while two push, beyond the same at rest, p50",
    value: beside.run.p50 - alone.run.p50,
    unit: "ms",
    goal: 20,
  });
}
