// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How long each operation may run where a request does not say it, for both sides: a VM puts it into
 * its request, and dom0 tells whoever asks what there is.
 *
 * @module
 */

import { MAX_TIMEOUT_MS } from "./limits.ts";

/** Qubes' tools answer in a second. */
const USUAL_SECONDS = 60;
const STARTING_SECONDS = 180;
const COMMAND_SECONDS = 300;
/** The gateway ends its work first. */
const TURNING_SECONDS = 420;
const COPYING_SECONDS = 3600;
/** dom0's operator copies; a large file goes through two qubes. */
const BETWEEN_QUBES_SECONDS = 6 * 3600;
/** Some hundred GB to a slow disk. */
const BACKUP_SECONDS = 4 * 3600;

/** Those that start or copy something, or run what somebody wrote. */
const LONGER: ReadonlyMap<string, number> = new Map([
  ["vm.start", STARTING_SECONDS],
  ["vm.shutdown", STARTING_SECONDS],
  ["vm.restart", 2 * STARTING_SECONDS],
  ["vm.create", COPYING_SECONDS],
  ["vm.clone", COPYING_SECONDS],
  ["vm.rename", COPYING_SECONDS],
  ["vm.run", COMMAND_SECONDS],
  ["vm.service", COMMAND_SECONDS],
  ["disposable.run", COMMAND_SECONDS],
  ["volume.revert", COPYING_SECONDS],
  ["template.install", COPYING_SECONDS],
  ["update.check", COPYING_SECONDS],
  ["update.install", COPYING_SECONDS],
  ["backup.start", BACKUP_SECONDS],
  ["backup.verify", BACKUP_SECONDS],
  ["backup.restore", BACKUP_SECONDS],
  ["openclaw.start", TURNING_SECONDS],
  ["openclaw.stop", TURNING_SECONDS],
  ["openclaw.restart", TURNING_SECONDS],
  ["file.stat", COPYING_SECONDS],
  ["file.read", COPYING_SECONDS],
  ["file.write", COPYING_SECONDS],
  ["file.replace", COPYING_SECONDS],
  ["file.fetch", BETWEEN_QUBES_SECONDS],
  ["file.send", BETWEEN_QUBES_SECONDS],
  ["file.copy", BETWEEN_QUBES_SECONDS],
]);

/** The names that have a time of their own. */
export const SLOW_OPERATIONS: readonly string[] = [...LONGER.keys()];

/**
 * In seconds.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([operationSeconds("vm.list"), operationSeconds("vm.start")], [60, 180]);
 * ```
 */
export function operationSeconds(name: string): number {
  return LONGER.get(name) ?? USUAL_SECONDS;
}

/**
 * Of operations one after another, in ms; no more than a request may ask for.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(operationsMs(["vm.list", "vm.start"]), 240_000);
 * assertEquals(operationsMs([]), 60_000);
 * ```
 */
export function operationsMs(names: readonly string[]): number {
  const seconds = names.reduce((sum, name) => sum + operationSeconds(name), 0);
  return Math.min(1000 * Math.max(seconds, USUAL_SECONDS), MAX_TIMEOUT_MS);
}
