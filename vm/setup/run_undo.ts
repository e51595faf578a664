// SPDX-License-Identifier: GPL-2.0-or-later
/** setup-vm --undo: the way back. @module */

import { dirname } from "@std/path/posix/dirname";
import type { Journal } from "../../shared/setup/journal.ts";
import { ifPresent } from "../../shared/io/files.ts";
import { UserError } from "../../shared/cli/program.ts";
import { undo } from "../../shared/setup/engine.ts";
import { createEngine } from "./apply.ts";
import { type Fact, needsRoot, record } from "./fact.ts";
import type { Setting } from "./setting.ts";
import { planUndo, type Undo } from "./plan.ts";
import { createRead } from "./reader.ts";
import { stepJson, undoText } from "./report.ts";
import type { Invocation } from "./request.ts";
import { tried } from "./tried.ts";

/** @returns the exit code */
export async function runUndo(
  setting: Setting,
  invocation: Invocation,
  removeData: boolean,
): Promise<number> {
  const { places, tools, print } = setting;
  const { json, dryRun } = invocation;
  const journal: Journal<Fact> = { path: places.record, entries: await record.read(places.record) };
  if (journal.entries.length === 0) {
    print(json ? '{"undo": []}\n' : "Nothing to take back: setup-vm has no record of a change.\n");
    return 0;
  }
  const read = createRead(tools, places);
  const undos = await planUndo(read, journal.entries, removeData);
  const say = (one: Undo): void => {
    if (!json) print(undoText(one, dryRun));
  };
  if (dryRun) {
    undos.forEach(say);
    if (!json) print("# nothing was changed\n");
  } else {
    await requireRoot(setting, undos);
    if (removeData) confirmRemoval(setting, invocation);
    await undo(createEngine(tools, read), undos, journal, say);
    if (journal.entries.length === 0) await removeOwn(setting);
  }
  if (json) print(JSON.stringify({ undo: undos.map((one) => undoJson(one, dryRun)) }) + "\n");
  return 0;
}

function undoJson({ entry, action }: Undo, dryRun: boolean): unknown {
  return action.kind === "step"
    ? { ...stepJson(action.step), result: dryRun ? "planned" : "done" }
    : { kind: entry.fact.kind, result: action.kind, why: action.why };
}

/** @throws {UserError} before anything is taken back, if root's part could not be */
async function requireRoot({ tools }: Setting, undos: readonly Undo[]): Promise<void> {
  const isNeeded = undos.some(({ entry: { fact }, action }) =>
    action.kind === "step" && needsRoot(fact)
  );
  if (!isNeeded || (await tried(tools, "sudo", "-n", "true"))?.code === 0) return;
  throw new UserError("sudo asks for a password here, and some of this is root's", [
    'run "sudo -v" first, then this again within some minutes',
  ]);
}

/** @throws {UserError} unless the person says yes */
function confirmRemoval({ warn, ask, places }: Setting, { yes }: Invocation): void {
  warn(
    `This removes what setup-vm made in ${places.state}: the keys of your model providers, the ` +
      "gateway's token,\nand if the folder itself is setup-vm's, all that the agent remembers. " +
      "It cannot be undone.\n",
  );
  if (yes || ask('Type "yes" to remove it: ')?.trim() === "yes") return;
  throw new UserError("stopped; nothing was changed", [
    "without --remove-data, keys and history stay; --yes answers the question",
  ]);
}

/** After everything was taken back, nothing of setup is left. */
async function removeOwn({ places: { lock } }: Setting): Promise<void> {
  await ifPresent(Deno.remove(lock));
  const folder = dirname(lock);
  await ifPresent(Deno.remove(folder)).catch(() => {}); // not empty: others' files
}
