// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What every attack is judged by: what ran in dom0, what the audit says, what the logs and the
 * daemon's own output hold, how much memory it took, and whether another VM noticed.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Daemon, type Installed, readAudit, until } from "./installed.ts";

/** The promise of the README. */
export const MAX_RSS_KIB = 120 * 1024;
/** On a machine that runs other tests too. */
const PROMPT_MS = 60_000;
const CALM_PAUSE_MS = 200;

/** The most memory that the process had in all its life, in KiB. */
export function peakRssKiB(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmHWM:\s+([0-9]+) kB$/m.exec(status)?.[1]);
}

export function assertSmall(daemon: Daemon): void {
  const peak = peakRssKiB(daemon.pid);
  assert(peak > 0 && peak < MAX_RSS_KIB, `the daemon had ${peak} KiB`);
}

/** A folder of dom0 in which a command that ran leaves a file. */
export interface Traces {
  /** A script that leaves a file, and a line in it each time it runs. */
  script(name: string): string;
  /** How often each ran. */
  seen(): ReadonlyMap<string, number>;
}

export async function tracesIn(qubes: Installed): Promise<Traces> {
  const folder = `${qubes.world.dom0Root}/traces`;
  await Deno.mkdir(folder);
  return {
    script: (name) => `echo ran >>'${folder}/${name}'\n`,
    seen: () =>
      new Map(
        Array.from(Deno.readDirSync(folder), ({ name }) => [
          name,
          Deno.readTextFileSync(`${folder}/${name}`).split("\n").length - 1,
        ]),
      ),
  };
}

/** Waits for a record that has all these fields, behind the first `after` records. */
export async function awaitRecord(
  qubes: Installed,
  fields: Readonly<Record<string, unknown>>,
  after = 0,
): Promise<void> {
  const isThere = (): boolean =>
    readAudit(qubes.world).slice(after).some((record) =>
      Object.entries(fields).every(([name, value]) => record[name] === value)
    );
  try {
    await until(`a record ${JSON.stringify(fields)}`, isThere);
  } catch (error) {
    const lines = readAudit(qubes.world).slice(after).map((record) => JSON.stringify(record));
    throw new Error(`${error}\n${lines.join("\n")}`);
  }
}

/** Log, audit and the daemon's output are printable ASCII, and the chain is whole. */
export async function assertCleanRecords(qubes: Installed, daemon: Daemon): Promise<void> {
  const folder = `${qubes.world.dom0Root}/var/log/qubes`;
  const texts = [["stdout and stderr", daemon.said()]];
  for (const { name } of Deno.readDirSync(folder)) {
    texts.push([name, new TextDecoder("latin1").decode(await Deno.readFile(`${folder}/${name}`))]);
  }
  for (const [name, text = ""] of texts) {
    const at = text.search(/[^\x20-\x7e\n]/);
    assertEquals(at, -1, `${name}: ${JSON.stringify(text.slice(Math.max(0, at - 80), at + 20))}`);
  }
  const { code, stdout, stderr } = await qubes.dom0(["audit", "verify"]);
  assertEquals(code, 0, stdout + stderr);
  assertStringIncludes(stdout, "unbroken");
}

/** A VM that uses its client while something else goes on. */
export interface CalmVm {
  /** How long each command took. @throws if one was not answered as it should be */
  stop(): Promise<readonly number[]>;
}

export function keepAsking(qubes: Installed, vm: string): CalmVm {
  let stopped = false;
  const took: number[] = [];
  const asking = (async () => {
    for (let n = 1; !stopped; n++) {
      const startMs = performance.now();
      const { code, stdout, stderr } = await qubes.client(vm, [`echo calm ${n}`]);
      took.push(Math.round(performance.now() - startMs));
      assertEquals([code, stdout], [0, `calm ${n}\n`], stderr);
      await new Promise((resolve) => setTimeout(resolve, CALM_PAUSE_MS));
    }
  })();
  asking.catch(() => {}); // told by stop()
  return {
    async stop() {
      stopped = true;
      await asking;
      return took;
    },
  };
}

/** @returns the longest time */
export function assertPrompt(took: readonly number[]): number {
  const longest = Math.max(...took);
  assert(took.length > 0 && longest < PROMPT_MS, `calm commands took ${took} ms`);
  return longest;
}
