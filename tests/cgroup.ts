// SPDX-License-Identifier: GPL-2.0-or-later
/** A cgroup of a test's own, on machines where one can be made. @module */

import { until } from "./until.ts";

export interface TestCgroup {
  readonly folder: string;
  /** Kills what is in it, and removes it. */
  remove(): Promise<void>;
}

const MOUNT = writableMount();

/** Why this machine has no cgroup for a test, in the title of a test; "" if it has one. */
export const WHY_NO_CGROUP = MOUNT === null ? " (no cgroup of version 2 can be written here)" : "";

/**
 * Test files that run at once share one process: its number would come twice.
 *
 * @returns null where none can be made
 */
export function freshCgroup(): TestCgroup | null {
  if (MOUNT === null) return null;
  const folder = `${MOUNT}/qvm-remote-test-${crypto.randomUUID()}`;
  Deno.mkdirSync(folder);
  return { folder, remove: () => removeCgroup(folder) };
}

/** Where cgroups of version 2 are, if new ones can be made there and killed as a whole. */
function writableMount(): string | null {
  const info = Deno.readTextFileSync("/proc/self/mountinfo");
  const mount = /^(?:\S+ ){4}(\S+) .* - cgroup2 /m.exec(info)?.[1];
  if (mount === undefined) return null;
  const probe = `${mount}/qvm-remote-probe-${crypto.randomUUID()}`;
  try {
    Deno.mkdirSync(probe);
    Deno.writeTextFileSync(`${probe}/cgroup.kill`, "1");
    return mount;
  } catch {
    return null;
  } finally {
    try {
      Deno.removeSync(probe);
    } catch { /* it could not be made */ }
  }
}

async function removeCgroup(folder: string): Promise<void> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) await removeCgroup(`${folder}/${name}`);
  }
  // What was killed takes a moment to be gone.
  await until(`${folder} is empty`, () => {
    try {
      Deno.writeTextFileSync(`${folder}/cgroup.kill`, "1");
      Deno.removeSync(folder);
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return true;
      return false;
    }
  }, 30_000);
}
