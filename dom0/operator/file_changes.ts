// SPDX-License-Identifier: GPL-2.0-or-later
/** Changes of dom0's own files, of the policy and remote.conf, as one list; each can be taken back. @module */

import type { PolicyChange } from "../policy/policy_changes.ts";
import { readPolicyFolder } from "../policy/policy_folder.ts";
import type { Paths } from "../settings/paths.ts";
import type { Acting } from "./acting.ts";
import { configChanges, readConfigText, undoConfigChange } from "./config_file.ts";
import { policyChanges, undoPolicyChange } from "./policy_files.ts";

export interface FileChange {
  readonly kind: "policy" | "config";
  readonly change: PolicyChange;
  /** Somebody changed the file after that: it is not taken back, for that would be lost. */
  readonly isChangedSince: boolean;
}

/** Oldest first. */
export async function listFileChanges(paths: Paths): Promise<readonly FileChange[]> {
  const [ofPolicy, ofConfig] = await Promise.all([
    policyChanges(paths).list(),
    configChanges(paths).list(),
  ]);
  const files = ofPolicy.length === 0
    ? new Map<string, string>()
    : await readPolicyFolder(paths.policyFolder, Deno.uid());
  const config = ofConfig.length === 0 ? "" : await readConfigText(paths);
  return [
    ...ofPolicy.map((change): FileChange => ({
      kind: "policy",
      change,
      isChangedSince: (files.get(change.file) ?? null) !== change.after,
    })),
    ...ofConfig.map((change): FileChange => ({
      kind: "config",
      change,
      isChangedSince: config !== (change.after ?? ""),
    })),
  ].toSorted((a, b) => a.change.atMs - b.change.atMs || a.change.id.localeCompare(b.change.id));
}

/** @returns the id by which that can be taken back @throws {UserError | PolicyError} why it is not */
export async function undoFileChange(
  acting: Acting,
  { kind, change: { id } }: FileChange,
): Promise<string> {
  return await (kind === "policy" ? undoPolicyChange : undoConfigChange)(acting, id);
}

/** "made", "changed", "removed". */
export function whatHappened({ before, after }: Pick<PolicyChange, "before" | "after">): string {
  return after === null ? "removed" : before === null ? "made" : "changed";
}
