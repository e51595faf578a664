// SPDX-License-Identifier: GPL-2.0-or-later
/** The requests that wait for a person, from the files that the daemon keeps of them. @module */

import { shellQuote } from "../../../shared/protocol/command.ts";
import { broughtLines } from "../../approval/present.ts";
import type { ParkedView } from "../../approval/parked_view.ts";
import type { Preview as ReadPreview, PreviewRow } from "../../approval/preview.ts";
import { ifPresent, readSmall, readSmallText } from "../../../shared/io/files.ts";
import { shownValue } from "../../operations/shown_value.ts";
import { OPERATIONS } from "../../operations/table.ts";
import { CHANGES } from "../../operations/undo.ts";
import { changeLines } from "./diff_lines.ts";
import type { DiffLine, ParkedRequest, ParkedStep, Preview } from "./dom0_channel.ts";

const MAX_VIEW_BYTES = 4 * 1024 * 1024;
const MAX_SCRIPT_BYTES = 1024 * 1024;

/** Newest first. One that is answered meanwhile is left out. */
export async function readParked(folder: string): Promise<readonly ParkedRequest[]> {
  const found: ParkedRequest[] = [];
  for (const name of await namesIn(folder)) {
    const base = `${folder}/${name.slice(0, -".json".length)}`;
    const text = await ifPresent(readSmallText(`${base}.json`, MAX_VIEW_BYTES));
    if (text === undefined) continue;
    const view: ParkedView = JSON.parse(text); // the daemon's own file, in a folder of root's
    const script = view.argvs === null
      ? await ifPresent(readSmall(`${base}.body`, MAX_SCRIPT_BYTES))
      : undefined;
    found.push(requestOf(view, script));
  }
  return found.sort((one, other) => other.parkedMs - one.parkedMs);
}

export async function isFolderThere(folder: string): Promise<boolean> {
  return (await ifPresent(Deno.lstat(folder)))?.isDirectory === true;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  if (!await isFolderThere(folder)) return [];
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) if (name.endsWith(".json")) names.push(name);
  return names;
}

function requestOf(view: ParkedView, script: Uint8Array | undefined): ParkedRequest {
  const { vm, id, hash, operation, level, destructive, why, argvs, steps } = view;
  const isScript = argvs === null;
  return {
    vm,
    id,
    hash,
    operation,
    level,
    destructive: destructive && !isScript,
    why,
    isScript,
    targets: view.targets.map((name) => name === "dom0" ? null : name),
    parkedMs: view.parkedAtMs,
    expiresMs: view.expiresAtMs,
    runs: [
      ...isScript
        ? new TextDecoder().decode(script).replace(/\n$/, "").split("\n")
        : steps ?? argvs.map(shellQuote), // of a plan some words are known only when they run
      ...broughtLines(view),
    ],
    steps: stepsOf(view),
    rule: view.rule === "" ? null : { where: view.rule, text: "" },
    preview: previewOf(view),
    canBeUndone: undoableIn(view),
  };
}

/** Of a plan, all that changes something. */
function undoableIn({ operation, steps }: ParkedView): boolean {
  if (steps === null) return CHANGES.has(operation);
  const names = steps.map((text) => /^step [0-9]+(?: \([^)]*\))?: (\S+)/.exec(text)?.[1] ?? "");
  return names.every((name) => CHANGES.has(name) || OPERATIONS.get(name)?.level === "monitor");
}

/** What dom0 read, in the words of a page. */
export function previewWords(
  { rows, unknown }: ReadPreview,
): Pick<Preview, "lines" | "notes"> {
  return {
    lines: rows.flatMap(rowLines),
    notes: unknown.map((text) => `Not known: ${text}`),
  };
}

function previewOf({ preview, parkedAtMs }: ParkedView): Preview | null {
  const { lines, notes } = previewWords(preview);
  return lines.length === 0 && notes.length === 0 ? null : { readMs: parkedAtMs, lines, notes };
}

/** dom0 says in front of each row which step it is about. */
function stepsOf({ steps, preview }: ParkedView): readonly ParkedStep[] | null {
  if (steps === null) return null;
  return steps.map((text, index) => {
    const start = `step ${index + 1}: `;
    const own = (of: string): readonly string[] =>
      of.startsWith(start) ? [of.slice(start.length)] : [];
    return {
      text,
      lines: preview.rows.flatMap((row) =>
        own(row.what).flatMap((what) => rowLines({ ...row, what }))
      ),
      notes: preview.unknown.flatMap((one) => own(one)).map((one) => `Not known: ${one}`),
    };
  });
}

function rowLines({ what, before, after }: PreviewRow): DiffLine[] {
  return after === undefined
    ? [{ kind: "same", text: `${what}: ${shownValue(before)}` }]
    : changeLines(what, before, after);
}
