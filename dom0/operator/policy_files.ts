// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The files of policy, changed for the operator: never to what has an error, never over what somebody
 * else wrote meanwhile, on record, and kept so that the change can be taken back.
 *
 * @module
 */

import { dateMs } from "../../shared/io/clock.ts";
import { durableFolder, durableRemove, durableWrite } from "../../shared/io/durable.ts";
import { newRequestId } from "../../shared/io/new_request_id.ts";
import { sha256Hex } from "../../shared/io/sha256.ts";
import { UserError } from "../../shared/cli/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { parsePolicy, type PolicyFiles } from "../policy/parse_policy.ts";
import {
  createPolicyChangeStore,
  type PolicyChange,
  type PolicyChangeStore,
} from "../policy/policy_changes.ts";
import { readPolicyFolder } from "../policy/policy_folder.ts";
import type { Paths } from "../settings/paths.ts";
import { inTurn } from "../settings/settings_lock.ts";
import { type Acting, recordAction } from "./acting.ts";
import { requireOwnChange, takeBack } from "./changed_file.ts";

export interface WantedText {
  readonly file: string;
  /** null: the file is removed. */
  readonly text: string | null;
}

export interface WantedChange extends WantedText {
  /** The mark of the text that the person saw; null: there was no such file. */
  readonly seen: string | null;
}

/** 128 bits: nobody looks for two texts with the same. */
const MARK_CHARS = 32;
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,120}$/;
/** How qrexec names its own, and the order in which they are read. */
const NEW_NAME = /^[0-9]{2}-[A-Za-z0-9_.-]{1,100}\.policy$/;

export function policyChanges({ policyChangesFolder }: Paths): PolicyChangeStore {
  return createPolicyChangeStore(policyChangesFolder);
}

/** The files as they would be. @throws {UserError} the name is none for such a file */
export function withText(files: PolicyFiles, { file, text }: WantedText): PolicyFiles {
  if (!FILE_NAME.test(file)) throw new UserError("that is not the name of a policy file");
  if (!files.has(file) && text !== null && !NEW_NAME.test(file)) {
    throw new UserError(
      `${printable(file)} is no name for a new file: two digits, "-", letters, ".policy", ` +
        'such as "40-agent.policy"; files are read in the order of their names',
    );
  }
  const after = new Map(files);
  if (text === null) after.delete(file);
  else after.set(file, text);
  return after;
}

/** @throws {UserError | PolicyError} nothing is changed, and why */
export async function changePolicyFile(acting: Acting, wanted: WantedChange): Promise<void> {
  await inTurn(acting.paths.keyFolder, () => change(acting, wanted));
}

/** @throws {UserError | PolicyError} it is not taken back, and why */
export async function undoPolicyChange(acting: Acting, id: string): Promise<string> {
  return await takeBack(acting, policyChanges(acting.paths), id, (done) => {
    const { file, before: text, after } = done;
    return change(acting, { file, text, seen: markOrNull(after) }, done);
  });
}

async function change(
  acting: Acting,
  { file, text, seen }: WantedChange,
  undoes?: PolicyChange,
): Promise<string> {
  const files = await readPolicyFolder(acting.paths.policyFolder, Deno.uid());
  const before = files.get(file) ?? null;
  parsePolicy(withText(files, { file, text })); // with an error the old rules would stay, unnoticed
  requireOwnChange(file, { before, text }, { before: markOrNull(before), seen });
  return await writePolicyFile(acting, { file, before, text }, undoes);
}

/** Of a text that was found good. @returns the id by which the change can be taken back */
export async function writePolicyFile(
  acting: Acting,
  { file, before, text }: WantedText & { readonly before: string | null },
  undoes?: PolicyChange,
): Promise<string> {
  const { paths, invokedBy: by } = acting;
  const { policyFolder } = paths;
  const id = newRequestId(dateMs());
  const made = { id, atMs: dateMs(), by, file, before, after: text, isUndone: false };
  await policyChanges(paths).put(made);
  const told = { file, ...(undoes === undefined ? {} : { undoes: undoes.id }) };
  if (text === null) {
    await recordAction(acting, "policy-removed", { ...told, sha256: sha256Hex(before ?? "") });
    await durableRemove(`${policyFolder}/${file}`);
  } else {
    await recordAction(acting, "policy-saved", { ...told, sha256: sha256Hex(text) });
    await durableFolder(policyFolder);
    await durableWrite(`${policyFolder}/${file}`, text);
  }
  return id;
}

/** Another one for each text. */
export function markOf(text: string): string {
  return sha256Hex(text).slice(0, MARK_CHARS);
}

function markOrNull(text: string | null): string | null {
  return text === null ? null : markOf(text);
}
