// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * remote.conf, changed for the operator as a file of policy is: never to what has an error, never over
 * what somebody else wrote meanwhile, on record, and kept so that the change can be taken back.
 *
 * @module
 */

import { dateMs } from "../../shared/io/clock.ts";
import { durableWrite } from "../../shared/io/durable.ts";
import { ifPresent, readSmallText } from "../../shared/io/files.ts";
import type { LineProblem } from "../../shared/io/key_value.ts";
import { newRequestId } from "../../shared/io/new_request_id.ts";
import { sha256Hex } from "../../shared/io/sha256.ts";
import { UserError } from "../../shared/cli/program.ts";
import {
  createPolicyChangeStore,
  type PolicyChange,
  type PolicyChangeStore,
} from "../policy/policy_changes.ts";
import { parseConfig } from "../settings/config.ts";
import type { Paths } from "../settings/paths.ts";
import { MAX_CONFIG_BYTES } from "../settings/settings.ts";
import { inTurn } from "../settings/settings_lock.ts";
import { type Acting, recordAction } from "./acting.ts";
import { requireOwnChange, takeBack } from "./changed_file.ts";
import { markOf } from "./policy_files.ts";

/** As its changes name it. */
export const CONFIG_FILE = "remote.conf";

export function configChanges({ configChangesFolder }: Paths): PolicyChangeStore {
  return createPolicyChangeStore(configChangesFolder);
}

/** "" if there is none: everything then has its default. */
export async function readConfigText({ config }: Pick<Paths, "config">): Promise<string> {
  return await ifPresent(readSmallText(config, MAX_CONFIG_BYTES)) ?? "";
}

/** What is wrong with such a text; nothing: it may be saved. */
export function configProblems(text: string): readonly LineProblem[] {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes <= MAX_CONFIG_BYTES) return parseConfig(text).problems;
  return [{ line: 1, text: `it has ${bytes} bytes; at most ${MAX_CONFIG_BYTES} are read` }];
}

/**
 * @param seen the mark of the text that the person saw
 * @throws {UserError} nothing is changed, and why
 */
export async function changeConfig(acting: Acting, text: string, seen: string): Promise<void> {
  await inTurn(acting.paths.keyFolder, () => change(acting, text, seen));
}

/** @returns the id by which that can be taken back @throws {UserError} it is not taken back, and why */
export async function undoConfigChange(acting: Acting, id: string): Promise<string> {
  return await takeBack(
    acting,
    configChanges(acting.paths),
    id,
    (done) => change(acting, done.before ?? "", markOf(done.after ?? ""), done),
  );
}

async function change(
  acting: Acting,
  text: string,
  seen: string,
  undoes?: PolicyChange,
): Promise<string> {
  const { paths, invokedBy: by } = acting;
  const before = await readConfigText(paths);
  const [problem] = configProblems(text); // with one the old settings would stay, unnoticed
  if (problem !== undefined) throw new UserError(`line ${problem.line}: ${problem.text}`);
  requireOwnChange(CONFIG_FILE, { before, text }, { before: markOf(before), seen });
  const id = newRequestId(dateMs());
  await configChanges(paths).put({
    id,
    atMs: dateMs(),
    by,
    file: CONFIG_FILE,
    before,
    after: text,
    isUndone: false,
  });
  await recordAction(acting, "config-saved", {
    ...(undoes === undefined ? {} : { undoes: undoes.id }),
    sha256: sha256Hex(text),
  });
  await durableWrite(paths.config, text);
  return id;
}
