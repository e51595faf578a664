// SPDX-License-Identifier: GPL-2.0-or-later
/** What holds for a change of each file of the operator's: never over another's, and taken back once. @module */

import { UserError } from "../../shared/cli/program.ts";
import type { PolicyChange, PolicyChangeStore } from "../policy/policy_changes.ts";
import { inTurn } from "../settings/settings_lock.ts";
import type { Acting } from "./acting.ts";

/**
 * @param marks of the text that is there, and of the one that the person saw
 * @throws {UserError} nothing may be written, and why
 */
export function requireOwnChange(
  file: string,
  texts: { readonly before: string | null; readonly text: string | null },
  marks: { readonly before: string | null; readonly seen: string | null },
): void {
  if (marks.before !== marks.seen) {
    throw new UserError(`${file} was changed meanwhile: nothing was written; look at it again`);
  }
  if (texts.before === texts.text) throw new UserError(`${file} is like that already`);
}

/**
 * @param change makes the way back, which is a change itself @returns its id
 * @throws {UserError} it is not taken back, and why
 */
export async function takeBack(
  { paths }: Pick<Acting, "paths">,
  store: PolicyChangeStore,
  id: string,
  change: (done: PolicyChange) => Promise<string>,
): Promise<string> {
  const done = (await store.list()).find((one) => one.id === id);
  if (done === undefined) throw new UserError("it is no longer kept");
  if (done.isUndone) throw new UserError("it is undone already");
  return await inTurn(paths.keyFolder, async () => {
    const undoing = await change(done);
    await store.put({ ...done, isUndone: true });
    return undoing;
  });
}
