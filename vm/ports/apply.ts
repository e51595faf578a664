// SPDX-License-Identifier: GPL-2.0-or-later
/** Puts planned files in place, and removes ours. Files of others are never touched. @module */

import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import {
  durableFolder,
  durableRemove,
  durableSymlink,
  durableWrite,
} from "../../shared/io/durable.ts";
import { exists, ifPresent, readSmallText } from "../../shared/io/files.ts";
import { UserError } from "../../shared/cli/program.ts";
import { MARK } from "./refusal_script.ts";
import { type FilePlan, parsePortFile, type Plan, planFiles, TCP_LINK } from "./service_files.ts";
import { CONNECT, MUX, MUX_PROGRAM, PER_VM_PROGRAM, RPC_FOLDERS } from "./service_files.ts";
import type { VmKind } from "./vm_kind.ts";

/** Ours are a few hundred bytes. */
const MAX_FILE_BYTES = 64 * 1024;

/** A link into the library from wherever it lies. */
const MUX_TARGETS = [MUX_PROGRAM, PER_VM_PROGRAM].map((path) => `/${basename(path)}`);

export interface Change {
  readonly path: string;
  readonly what: "written" | "kept" | "removed" | "foreign";
}

export interface Place {
  /** QUBES_CLAW_ROOT. */
  readonly root: string;
  /** Says what would be done, and does nothing. */
  readonly dryRun: boolean;
}

/**
 * Makes the whitelist what the plan says: the refusal first, then the ports, then away with ours
 * that are not in it. Checked before anything is written.
 *
 * @throws {UserError} if someone else's file is where one of ours belongs
 */
export async function applyPlan(plan: Plan, place: Place): Promise<readonly Change[]> {
  for (const { path } of plan.files) {
    if (await ownership(place.root + path) !== "foreign") continue;
    throw new UserError(`${path} was not written by openclaw-ports`, [
      `look at it; to let this replace it: mv ${path} /root/`,
    ]);
  }
  const changes: Change[] = [];
  for (const file of plan.files) {
    const isThere = await isAsPlanned(place.root + file.path, file);
    if (!isThere && !place.dryRun) await put(place.root + file.path, file);
    changes.push({ path: file.path, what: isThere ? "kept" : "written" });
  }
  const wanted = new Set(plan.files.map(({ path }) => path));
  for (const path of await portFiles(place.root, plan.portFolder)) {
    if (!wanted.has(path)) changes.push(await takeAway(path, place));
  }
  return changes;
}

/** Ports first: while the refusal is there, a port is either open by its file or closed. */
export async function removeAll(kind: VmKind, place: Place): Promise<readonly Change[]> {
  const { files, portFolder } = planFiles(kind, "link", []);
  const ports = await portFiles(place.root, portFolder);
  const changes: Change[] = [];
  for (const path of [...ports, ...files.map(({ path }) => path)]) {
    if (await exists(place.root + path)) changes.push(await takeAway(path, place));
  }
  return changes;
}

/** Paths of all files named after a service and an argument, sorted. */
export async function portFiles(root: string, folder: string): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(root + folder)) {
      if (parsePortFile(name) !== null) names.push(`${folder}/${name}`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}

/** What a path holds: nothing, something of ours, something of someone else. */
export async function ownership(path: string): Promise<"absent" | "ours" | "foreign"> {
  const info = await ifPresent(Deno.lstat(path));
  if (info === undefined) return "absent";
  if (info.isSymlink) {
    const target = await Deno.readLink(path);
    const name = basename(path);
    const isOurs = name.startsWith(`${CONNECT}+`) && target === TCP_LINK ||
      name.startsWith(`${MUX}+`) && MUX_TARGETS.some((known) => target.endsWith(known));
    return isOurs ? "ours" : "foreign";
  }
  if (!info.isFile || info.size > MAX_FILE_BYTES) return "foreign";
  const text = await readSmallText(path, MAX_FILE_BYTES);
  return text.split("\n", 2).includes(MARK) ? "ours" : "foreign";
}

async function takeAway(path: string, place: Place): Promise<Change> {
  if (await ownership(place.root + path) === "foreign") return { path, what: "foreign" };
  if (!place.dryRun) await durableRemove(place.root + path);
  return { path, what: "removed" };
}

async function isAsPlanned(path: string, file: FilePlan): Promise<boolean> {
  const info = await ifPresent(Deno.lstat(path));
  if (info === undefined) return false;
  if ("linkTo" in file) return info.isSymlink && await Deno.readLink(path) === file.linkTo;
  return info.isFile && ((info.mode ?? 0) & 0o7777) === file.mode &&
    await readSmallText(path, MAX_FILE_BYTES) === file.text;
}

async function put(path: string, file: FilePlan): Promise<void> {
  // The user's own agent has to read these folders.
  await durableFolder(dirname(path), 0o755);
  if ("linkTo" in file) await durableSymlink(file.linkTo, path);
  else await durableWrite(path, file.text, file.mode);
}

/** Every folder that the agent searches, with the files in it that open something. */
export async function allPortFiles(root: string): Promise<readonly string[]> {
  return (await Promise.all(RPC_FOLDERS.map((folder) => portFiles(root, folder)))).flat();
}
