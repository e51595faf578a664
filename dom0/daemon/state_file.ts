// SPDX-License-Identifier: GPL-2.0-or-later
/** What the daemon is doing now, in /run, for "status" and the other operator's commands. @module */

import { delay } from "@std/async/delay";
import { spanMs } from "../../shared/io/clock.ts";
import { isLocked } from "../../shared/io/file_lock.ts";
import { ifPresent, readSmallText } from "../../shared/io/files.ts";
import { PRIVATE_FILE } from "../../shared/io/private_modes.ts";
import { createStateWriter, type StateWriter } from "../../shared/io/state_writer.ts";
import type { Grant } from "../approval/grants.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { Paths } from "../settings/paths.ts";
import type { LimitsInForce } from "../run/process_group.ts";
import { createPanelFile } from "./panel_file.ts";
import type { LinkState } from "../session/vm_link.ts";

const MAX_STATE_BYTES = 1024 * 1024;
const WRITE_DELAY_MS = 100;

export interface VmState {
  readonly vm: VmName;
  readonly state: LinkState;
  readonly fingerprint: string;
  readonly acceptsV1: boolean;
  readonly lastEnd: string | null;
  /** Ids of requests that have not ended. */
  readonly open: readonly string[];
  /** Those of them that wait for a person; the others run, or wait for their turn. */
  readonly parked: readonly string[];
  /** Outcomes that the VM has not acknowledged. */
  readonly kept: number;
}

export interface DaemonState {
  readonly pid: number;
  readonly startedAt: string;
  readonly version: string;
  readonly lockdown: boolean;
  /** How the limits of the commands are enforced. */
  readonly limits: LimitsInForce;
  readonly vms: readonly VmState[];
  /** Requests that wait for a person. */
  readonly parked: number;
  readonly grants: readonly Grant[];
  /** What is wrong with configuration, keys or policy now. */
  readonly problems: readonly string[];
}

export function createDaemonState(
  { stateFile, panelFile }: Pick<Paths, "stateFile" | "panelFile">,
  getState: () => DaemonState,
): StateWriter {
  const both = [
    createStateWriter({
      path: stateFile,
      mode: PRIVATE_FILE,
      delayMs: WRITE_DELAY_MS,
      getState,
    }),
    createPanelFile(panelFile, WRITE_DELAY_MS, getState),
  ];
  return {
    changed: () => both.forEach((writer) => writer.changed()),
    write: async () => void await Promise.all(both.map((writer) => writer.write())),
    close: async () => void await Promise.all(both.map((writer) => writer.close())),
  };
}

/** undefined if no daemon runs: one that was killed leaves its file, but not its lock. */
export async function readDaemonState(
  { stateFile, libFolder }: Pick<Paths, "stateFile" | "libFolder">,
): Promise<DaemonState | undefined> {
  const text = await ifPresent(readSmallText(stateFile, MAX_STATE_BYTES));
  if (text === undefined || !await isLocked(libFolder)) return undefined;
  return JSON.parse(text); // our own file, in a folder of root's
}

/** How long the running daemon is given to take up what an operator's command changed. */
const NOTICE_MS = 10_000;
const LOOK_AGAIN_MS = 50;

/** null: no daemon runs. Else whether its state became what was wanted, in time. */
export async function waitForState(
  paths: Pick<Paths, "stateFile" | "libFolder">,
  wanted: (state: DaemonState) => boolean,
): Promise<boolean | null> {
  for (const deadline = spanMs() + NOTICE_MS;;) {
    const state = await readDaemonState(paths);
    if (state === undefined) return null;
    if (wanted(state)) return true;
    if (spanMs() > deadline) return false;
    await delay(LOOK_AGAIN_MS);
  }
}
