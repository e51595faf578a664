// SPDX-License-Identifier: GPL-2.0-or-later
/** Looks for the original in this VM. Changes nothing. @module */

import { dirname } from "@std/path/posix/dirname";
import { isLocked } from "../../../shared/io/file_lock.ts";
import { exists, ifPresent } from "../../../shared/io/files.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { readKey } from "../files/key_file.ts";
import { type Layout, legacyLayout } from "../files/layout.ts";
import { countQueue, listQueue, namesIn } from "../files/queue_list.ts";
import { idOfName, readQueueEntry } from "../files/queue_entry.ts";
import { NEW_NAME, OLD_NAME, record } from "./fact.ts";
import type { Found, FoundMode, UnderWay } from "./plan.ts";

/**
 * Of the original's Makefile and packages, and of the agent's setup that goes with it: it has a handler
 * for every port, and units of the user.
 */
const OTHERS = [
  "/usr/bin/qvm-remote-gui",
  "/usr/bin/qubes-global-admin",
  "/usr/lib/qvm-remote",
  "/usr/share/applications/qvm-remote-gui.desktop",
  "/usr/share/applications/qubes-global-admin.desktop",
];
const USER_UNITS = ["openclaw-cursor-proxy", "openclaw-gateway", "openclaw-watchdog"]
  .map((name) => `/.config/systemd/user/${name}.service`);
const SERVICE = "/etc/qubes-rpc/qvmremote.Queue";

/** What has permissions of its own, below the folder. */
const CLOSED = ["", "/queue", "/queue/pending", "/queue/running", "/queue/results", "/history"];
const CLOSED_FILES = ["/audit.log"];

const MAX_UNDER_WAY = 1000;

/** The folder under the name that it has now. */
export async function currentLayout(layout: Layout): Promise<Layout> {
  const isOld = !await exists(layout.base) && await exists(layout.legacyBase);
  return isOld ? legacyLayout(layout) : layout;
}

export async function surveyOriginal(layout: Layout): Promise<Found> {
  const now = await currentLayout(layout);
  const modes = await readModes(now);
  const { results } = await countQueue(now);
  const home = dirname(layout.base);
  const others = [...OTHERS, ...USER_UNITS.map((unit) => `${home}${unit}`)];
  const isThere = await Promise.all(others.map(exists));
  return {
    folders: [
      ...await exists(layout.legacyBase) ? [OLD_NAME] as const : [],
      ...await exists(layout.base) ? [NEW_NAME] as const : [],
    ],
    modes,
    key: await lookAtKey(now),
    underWay: await readUnderWay(now),
    answers: results,
    days: (await namesIn(now.history)).length,
    isServed: await isServed(now),
    hasService: await exists(SERVICE),
    others: others.filter((_, i) => isThere[i]),
    entries: await record.read(now.migration),
  };
}

/** Whether this project's queue service is at work. */
export async function isServed({ lock }: Layout): Promise<boolean> {
  return await isLocked(lock) ?? false;
}

/** @throws {UserError} the folder is none */
async function readModes({ base }: Layout): Promise<readonly FoundMode[]> {
  const modes: FoundMode[] = [];
  for (const path of [...CLOSED, ...CLOSED_FILES]) {
    const info = await ifPresent(Deno.lstat(base + path));
    if (info === undefined) continue;
    const isFolder = CLOSED.includes(path);
    if (isFolder ? !info.isDirectory : !info.isFile) {
      throw new UserError(`${base}${path} is not a ${isFolder ? "folder" : "regular file"}`, [
        "move it to another place; nothing was changed",
      ]);
    }
    modes.push({ path, isFolder, mode: (info.mode ?? 0) & 0o777 });
  }
  return modes;
}

async function lookAtKey(layout: Layout): Promise<Found["key"]> {
  if (!await exists(layout.key)) return null;
  try {
    return { fingerprint: (await readKey(layout)).fingerprint };
  } catch (error) {
    const isFault = error instanceof UserError || error instanceof Deno.errors.PermissionDenied;
    if (!isFault) throw error;
    return { fault: error.message };
  }
}

async function readUnderWay(layout: Layout): Promise<readonly UnderWay[]> {
  const entries = await listQueue(layout, MAX_UNDER_WAY);
  return entries.flatMap(({ folder, untrustedName, ageSeconds }) => {
    if (folder !== "pending" && folder !== "running") return [];
    const id = idOfName(untrustedName);
    if (id === undefined) return [];
    // Its requests are the command itself; this project's are envelopes.
    const { kind } = readQueueEntry(`${layout[folder]}/${untrustedName}`, id);
    return kind === "v1" ? [{ untrustedName, place: folder, ageSeconds }] : [];
  });
}
