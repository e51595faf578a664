// SPDX-License-Identifier: GPL-2.0-or-later
/** Carrying the steps of a migration out, and back: each is on record before it begins. @module */

import { durableRename } from "../../../shared/io/durable.ts";
import { exists, ifPresent } from "../../../shared/io/files.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { CHANGED_SINCE } from "../../../shared/setup/engine.ts";
import { type Journal, offRecord, onRecord } from "../../../shared/setup/journal.ts";
import type { Layout } from "../files/layout.ts";
import { type Entry, type Fact, record, type Step } from "./fact.ts";
import { currentLayout, isServed } from "./survey.ts";

/** @throws {UserError} at the first step that fails; the same again goes on from there */
export async function applySteps(
  layout: Layout,
  steps: readonly Step[],
  say: (step: Step) => void,
): Promise<void> {
  for (const step of steps) {
    say(step);
    const { fact, to } = step;
    await onRecord(record, await journalOf(layout), step, async () => {
      if (fact.kind === "folder") await durableRename(layout.legacyBase, layout.base);
      else await Deno.chmod(layout.base + fact.path, parseInt(to ?? "", 8));
    });
  }
}

/** The folder, and the record in it, have another name after a step. */
async function journalOf(layout: Layout): Promise<Journal<Fact>> {
  const { migration: path } = await currentLayout(layout);
  return { path, entries: await record.read(path) };
}

/** What becomes of an entry of the record. */
export interface Back {
  readonly entry: Entry;
  /** Null: it is taken back. */
  readonly left: string | null;
}

/**
 * The last change first.
 *
 * @param say told before each; with why, if it is left alone
 * @throws {UserError} while dom0 is connected, or at the first step that fails
 */
export async function takeBack(
  layout: Layout,
  say: (entry: Entry, left: string | null) => void,
): Promise<readonly Back[]> {
  const { entries } = await journalOf(layout);
  if (entries.length > 0 && await isServed(await currentLayout(layout))) {
    throw new UserError("dom0 is connected to this VM's queue", [
      'run "qvm-remote-dom0 migrate --undo" there first; nothing was changed',
    ]);
  }
  const backs: Back[] = [];
  for (const entry of entries.toReversed()) {
    const left = await whyLeft(layout, entry);
    say(entry, left);
    backs.push({ entry, left });
    if (left !== null) continue;
    const { fact, from } = entry;
    const now = await currentLayout(layout);
    if (fact.kind === "mode") {
      await ifPresent(Deno.chmod(now.base + fact.path, parseInt(from ?? "", 8)));
    } else if (await exists(layout.base)) await durableRename(layout.base, layout.legacyBase);
    await offRecord(record, await journalOf(layout), fact);
  }
  return backs;
}

async function whyLeft(layout: Layout, { fact, from, to }: Entry): Promise<string | null> {
  if (fact.kind === "folder") {
    const isBoth = await exists(layout.base) && await exists(layout.legacyBase);
    return isBoth ? `there is a ${layout.legacyBase}, too` : null;
  }
  const { base } = await currentLayout(layout);
  const info = await ifPresent(Deno.lstat(base + fact.path));
  const mode = ((info?.mode ?? 0) & 0o777).toString(8);
  return info === undefined || mode === to || mode === from ? null : CHANGED_SINCE;
}
