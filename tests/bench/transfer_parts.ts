// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What copying costs: push, pull and stdin beside "qvm-run --pass-io VM cat > file" over the same
 * qrexec, the memory that it takes, and what a third VM notices while two push.
 *
 * @module
 */

import { finish, type Installed } from "../e2e/installed.ts";
import { isService, seenProcesses } from "../e2e/seen_processes.ts";
import { removeIfPresent } from "../../shared/io/sync_files.ts";
import { type Add, interleaved, summary } from "./measure.ts";
import { forgetPeak, peakMb, withDescendants } from "./proc.ts";
import { openPublisher } from "./publisher.ts";
import type { RealQrexec } from "./real_qrexec.ts";

const FILE_MIB = 256;
const LARGE_MIB = 1024;
const MIB = 1024 * 1024;
const ROUNDS = 3;
const PUSHERS = ["work", "lab"] as const;
const THIRD = "idle";
const SAMPLE_MS = 50;

interface Scene {
  readonly qubes: Installed;
  readonly qrexec: RealQrexec | null;
  readonly daemonPid: number;
  /** In dom0. */
  readonly folder: string;
  readonly add: Add;
}

/** @param qrexec what "work" is called through; null: the simulated one */
export async function benchTransfer(
  qubes: Installed,
  qrexec: RealQrexec | null,
  daemonPid: number,
  add: Add,
): Promise<void> {
  const folder = `${Deno.realPathSync(qubes.world.folder)}/copied`;
  Deno.mkdirSync(folder);
  const scene: Scene = { qubes, qrexec, daemonPid, folder, add };
  const source = fileOf(qubes, "work", FILE_MIB);
  await benchWays(scene, source);
  const peaks = await peaksOf(scene, source);
  const large = fileOf(qubes, "work", LARGE_MIB);
  const largePeaks = await peaksOf(scene, large);
  for (const [name, peak] of largePeaks) {
    const grown = peak - (peaks.get(name) ?? 0);
    add({ name: `memory of the ${name}, 1 GiB pushed and pulled`, value: peak, unit: "MB" });
    add({ name: "the same, beyond that for a quarter of it", value: grown, unit: "MB", goal: 15 });
  }
  if (qrexec === null) await benchThird(scene, [large, fileOf(qubes, "lab", LARGE_MIB)]);
}

/** A file of a VM, on its disk: incompressible, and no two blocks alike. */
function fileOf({ world }: Installed, vm: string, sizeMib: number): string {
  const path = `${world.vmHome(vm)}/large`;
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  const block = new Uint8Array(MIB);
  for (let at = 0; at < MIB; at += 65536) crypto.getRandomValues(block.subarray(at, at + 65536));
  const number = new DataView(block.buffer);
  for (let n = 0; n < sizeMib; n++) {
    number.setUint32(0, n);
    file.writeSync(block);
  }
  file.syncSync();
  return path;
}

async function good(child: Deno.ChildProcess): Promise<void> {
  const { code, stderr } = await finish(child);
  if (code !== 0) throw new Error(stderr);
}

function waysOf({ qubes, qrexec, folder }: Scene, source: string) {
  const { world, spawnClient } = qubes;
  const cat = `cat '${source}'`;
  const called = qrexec?.call(cat) ?? `'${world.dom0Bin}/qvm-run' --pass-io work "${cat}"`;
  const pulled = `${source}.back`;
  return {
    passIo: () =>
      good(
        new Deno.Command("/bin/sh", {
          args: ["-c", `${called} >'${folder}/raw'`],
          clearEnv: true,
          env: world.dom0Env(),
          stdin: "null",
          stdout: "piped",
          stderr: "piped",
        }).spawn(),
      ),
    push: () => spawnClient("work", ["push", "--force", source, `${folder}/pushed`]),
    pull() {
      removeIfPresent(pulled); // the same would be left alone
      return spawnClient("work", ["pull", `${folder}/raw`, pulled]);
    },
    stdin: () =>
      world.runInVm("work", [
        "/bin/sh",
        "-c",
        `${cat} | '${world.vmBin}/qvm-remote' -i 'cat >/dev/null'`,
      ], {
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }),
  };
}

async function benchWays(scene: Scene, source: string): Promise<void> {
  const { add } = scene;
  const { passIo, push, pull, stdin } = waysOf(scene, source);
  await passIo();
  const times = await interleaved(ROUNDS, {
    passIo,
    push: () => good(push()),
    pull: () => good(pull()),
    stdin: () => good(stdin()),
  });
  const speed = (ms: number): number => 1000 * FILE_MIB / ms;
  const baseline = { name: "qvm-run --pass-io cat > file", value: speed(times.passIo.p50) };
  for (const way of ["push", "pull", "stdin"] as const) {
    const value = speed(times[way].p50);
    const name = way === "stdin" ? "live stdin" : way;
    add({ name: `${name} of ${FILE_MIB} MiB`, value, unit: "MiB/s", moreIsBetter: true, baseline });
    add({
      name: "the same, as a part of qvm-run --pass-io",
      value: value / baseline.value,
      unit: "x",
      goal: 0.6,
      moreIsBetter: true,
    });
  }
}

/** The most memory of each program, in MB, while that file goes to dom0 and back. */
async function peaksOf(scene: Scene, source: string): Promise<ReadonlyMap<string, number>> {
  const { qubes, daemonPid } = scene;
  const services = seenProcesses(qubes.world).filter(isService("work")).map(({ pid }) => pid);
  const { passIo, push, pull } = waysOf(scene, source);
  await passIo();
  for (const pid of [daemonPid, ...services]) forgetPeak(pid);
  let client = 0;
  for (const way of [push, pull]) {
    const child = way();
    const sampling = setInterval(() => {
      client = Math.max(client, ...withDescendants([child.pid]).map(peakMb));
    }, SAMPLE_MS);
    await good(child).finally(() => clearInterval(sampling));
  }
  const service = Math.max(...services.map(peakMb));
  return new Map([["daemon", peakMb(daemonPid)], ["queue service", service], ["client", client]]);
}

/** "true" of a VM that has nothing to do with it, at rest and while two others push. */
async function benchThird(
  { qubes: { world, spawnClient }, folder, add }: Scene,
  sources: readonly string[],
): Promise<void> {
  const publisher = await openPublisher(world.vmHome(THIRD), THIRD);
  const run = (): Promise<void> => publisher.run("true");
  const alone = await interleaved(100, { run });
  let isOver = false;
  const pushing = Promise.all(PUSHERS.map((vm, n) => {
    const words = ["push", "--force", sources[n] ?? "", `${folder}/${vm}`];
    return good(spawnClient(vm, words)).finally(() => isOver = true);
  }));
  pushing.catch(() => {}); // awaited below
  const times: number[] = [];
  while (!isOver) { // as long as both are at it
    const started = performance.now();
    await run();
    times.push(performance.now() - started);
  }
  await pushing;
  publisher.close();
  const { p50, p99 } = summary(times);
  add({
    name: "true of a third VM while two push 1 GiB, beyond the same at rest, p50",
    value: p50 - alone.run.p50,
    unit: "ms",
    goal: 20,
  });
  add({ name: "the same, p99", value: p99 - alone.run.p99, unit: "ms" });
}
