// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * dom0 for the pages, by files in the daemon's run folder: what the daemon is doing and what waits
 * is read there; everything else is asked of it.
 *
 * @module
 */

import { ifPresent, readSmallText } from "../../../shared/io/files.ts";
import { type FolderWatch, watchFolders } from "../../../shared/io/folder_watch.ts";
import { OPERATIONS } from "../../operations/table.ts";
import type { DaemonState } from "../../daemon/state_file.ts";
import type { Paths } from "../../settings/paths.ts";
import { createDaemonCaller, type DaemonCaller } from "./daemon_call.ts";
import type { Dom0Channel, Dom0Now } from "./dom0_channel.ts";
import { isFolderThere, previewWords, readParked } from "./parked_requests.ts";
import { readPlans } from "./plan_files.ts";
import { askingFiles } from "./operator_files.ts";
import { startDaemon } from "./start_daemon.ts";
import { listRuns } from "./run_list.ts";
import { followRun, readRun } from "./run_files.ts";

export interface DaemonChannel extends Dom0Channel {
  close(): void;
}

const MAX_STATE_BYTES = 1024 * 1024;
/** Beyond what the operation itself may take. */
const SPARE_MS = 30_000;
/** A qube may have to be shut down on the way back. */
const UNDO_LIMIT_MS = 600_000;
/** A run folder that is not there yet is looked for so often. */
const LOOK_MS = 2_000;

type FolderPaths = Pick<
  Paths,
  | "runFolder"
  | "stateFile"
  | "startFile"
  | "adminFolder"
  | "parkedFolder"
  | "plansFolder"
  | "runsFolder"
>;

export function createDaemonChannel(paths: FolderPaths): DaemonChannel {
  const caller = createDaemonCaller(paths.adminFolder);
  const watcher = watchRunFolder(paths);
  return {
    ...asking(caller),
    now: () => readNow(paths),
    async startDaemon(by) {
      const isRunning = async () => (await readNow(paths)).daemon !== null;
      await startDaemon(paths.startFile, isRunning);
      await caller.call({ order: "note", action: "started the daemon", by });
    },
    plans: () => readPlans(paths.plansFolder),
    runs: () => listRuns(paths.runsFolder),
    readRun: (id, from) => readRun(paths.runsFolder, id, from),
    followRun: (id, onChange) => followRun(paths.runsFolder, id, onChange),
    watch: watcher.watch,
    close() {
      watcher.close();
      caller.close();
    },
  };
}

async function readNow({ stateFile, parkedFolder }: FolderPaths): Promise<Dom0Now> {
  const text = await ifPresent(readSmallText(stateFile, MAX_STATE_BYTES));
  if (text === undefined) return { daemon: null, parked: [], grants: [] };
  const daemon: DaemonState = JSON.parse(text); // the daemon's own file
  return { daemon, parked: await readParked(parkedFolder), grants: grantsOf(daemon) };
}

function grantsOf({ grants = [] }: DaemonState): Dom0Now["grants"] {
  return grants.map(({ number, vm, operation, targets, untilMs }) => ({
    id: String(number),
    vm,
    operation,
    untilMs,
    targets: targets.map((name) => name === "dom0" ? null : name),
  }));
}

interface RunFolderWatch {
  watch(onChange: () => void): () => void;
  close(): void;
}

/** The daemon makes its folders when it starts: they are looked for until they are there. */
function watchRunFolder({ runFolder, parkedFolder, plansFolder }: FolderPaths): RunFolderWatch {
  const listeners = new Set<() => void>();
  let watch: FolderWatch | null = null;
  const tell = (): void => listeners.forEach((listen) => listen());
  const open = async (): Promise<void> => {
    const areThere = await isFolderThere(parkedFolder) && await isFolderThere(plansFolder);
    if (watch !== null || !areThere) return;
    watch = watchFolders([runFolder, parkedFolder, plansFolder], ({ kind, folderGone, paths }) => {
      if (folderGone) {
        watch?.close();
        watch = null;
      }
      const isOne = kind !== "opened" && paths.some((path) => /\.json$/.test(path));
      // A change that is not known may be any: a watch drops some when there are many.
      if (isOne || kind === "unknown") tell();
    });
    tell();
  };
  const timer = setInterval(() => void open().catch(() => {}), LOOK_MS);
  void open().catch(() => {});
  return {
    watch(onChange) {
      listeners.add(onChange);
      return () => void listeners.delete(onChange);
    },
    close() {
      clearInterval(timer);
      watch?.close();
    },
  };
}

/** What is asked of the daemon, one order each. */
function asking(
  { call }: DaemonCaller,
): Omit<Dom0Channel, "now" | "watch" | "startDaemon" | "plans" | "runs" | "readRun" | "followRun"> {
  const ask = async <T>(order: Readonly<Record<string, unknown>>, limitMs?: number): Promise<T> =>
    await call({ by: "web", ...order }, limitMs) as T; // as dom0/admin_orders makes it
  const tell = async (order: Readonly<Record<string, unknown>>): Promise<void> => {
    await call(order);
  };
  return {
    ...askingFiles(ask, tell),
    approve: ({ vm, id }, hash, forSeconds, by) =>
      tell({ order: "approve", vm, id, hash, forSeconds, by }),
    deny: ({ vm, id }, hash, reason, by) => tell({ order: "deny", vm, id, hash, reason, by }),
    endGrant: (grant, by) => tell({ order: "revoke-grant", grant: Number(grant), by }),
    run(name, values, by) {
      const seconds = OPERATIONS.get(name)?.timeoutSeconds ?? 60;
      return ask({ order: "operation", name, values, by }, seconds * 1000 + SPARE_MS);
    },
    preview: async (name, values) => previewWords(await ask({ order: "preview", name, values })),
    begin: (name, values, by) => ask({ order: "begin-operation", name, values, by }),
    beginShell: (script, by) => ask({ order: "begin-shell", script, by }),
    beginPlan: (changes, by) => ask({ order: "begin-plan", changes, by }),
    cancel: (id, by) => tell({ order: "cancel", id, by }),
    cancelRequest: ({ vm, id }, by) => tell({ order: "cancel-request", vm, id, by }),
    undoState: ({ vm, id }) => ask({ order: "undo-state", vm, id }),
    undoPlan: ({ vm, id }, by) => ask({ order: "undo-plan", vm, id, by }, UNDO_LIMIT_MS),
    records: (query) => ask({ order: "records", ...query }),
    verifyChain: () => ask({ order: "verify" }),
    explainCall: ({ source, target, service }) =>
      ask({ order: "explain-call", source, target, service }),
    keys: () => ask({ order: "keys" }),
    fingerprintOf: async (vm) =>
      (await ask<{ readonly fingerprint: string }>({ order: "fingerprint", vm })).fingerprint,
    authorize(vm, key, right, by) {
      const given = "text" in key ? { key: key.text } : { key: null, fingerprint: key.fingerprint };
      return ask({ order: "authorize", vm, by, ...right, ...given });
    },
    queue: (vm, what, by) => ask({ order: "queue", vm, what, by }),
    queueEntries: (vm) => ask({ order: "queue-entries", vm }),
    revoke: (vm, by) => tell({ order: "revoke", vm, by }),
    undoable: () => ask({ order: "undoable" }),
    undo: (id, by) => ask({ order: "undo", id, by }, UNDO_LIMIT_MS),
    note: (action, by) => tell({ order: "note", action, by }),
    autostart: () => ask({ order: "autostart" }),
    setAutostart: (isOn, by) => tell({ order: "set-autostart", isOn, by }),
    turnDaemon: (verb, by) => tell({ order: "turn-daemon", verb, by }),
    lockdown: (by) => tell({ order: "lockdown", by }),
    unlock: (by) => tell({ order: "unlock", by }),
  };
}
