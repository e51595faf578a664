// SPDX-License-Identifier: GPL-2.0-or-later
/** What waits for a person, for the operator's programs: values in, values out. @module */

import { ifPresent, readSmall, readSmallText } from "../../shared/io/files.ts";
import { UserError } from "../../shared/cli/program.ts";
import { MAX_BODY_BYTES } from "../../shared/protocol/limits.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { ParkedView } from "../approval/parked_view.ts";
import type { Paths } from "../settings/paths.ts";

/** The longest is a preview with all rules of a firewall. */
const MAX_VIEW_BYTES = 4 * 1024 * 1024;

/** Oldest first. What a daemon that was killed left there no longer waits. */
export async function listParked({ parkedFolder }: Paths): Promise<readonly ParkedView[]> {
  const names = await ifPresent(Array.fromAsync(Deno.readDir(parkedFolder), ({ name }) => name));
  const views = await Promise.all(
    (names ?? []).filter((name) => name.endsWith(".json")).map(async (name) => {
      const text = await ifPresent(readSmallText(`${parkedFolder}/${name}`, MAX_VIEW_BYTES));
      return text === undefined ? null : JSON.parse(text) as ParkedView; // the daemon's own file
    }),
  );
  return views.filter((view) => view !== null).toSorted((a, b) => a.number - b.number);
}

/** The script of a request that is one; null: it runs words, or has ended. */
export async function scriptOf(
  { parkedFolder }: Paths,
  { vm, id, argvs }: ParkedView,
): Promise<Uint8Array | null> {
  if (argvs !== null) return null;
  return await ifPresent(readSmall(`${parkedFolder}/${vm}-${id}.body`, MAX_BODY_BYTES)) ?? null;
}

/**
 * The one that a person means: by its number, or by the beginning of its id.
 *
 * @throws {UserError} none, or several
 */
export function findParked(views: readonly ParkedView[], word: string): ParkedView {
  const byNumber = views.filter(({ number }) => String(number) === word);
  const found = byNumber.length > 0 ? byNumber : views.filter(({ id }) => id.startsWith(word));
  const [first] = found;
  if (first === undefined || word === "") {
    throw new UserError(`no request ${printable(word)} waits`, ['see "qvm-remote-dom0 pending"']);
  }
  if (found.length > 1) {
    const which = found.map(({ number }) => number).join(", ");
    throw new UserError(`${printable(word)} fits several requests: ${which}`, [
      "give a number, or more of the id",
    ]);
  }
  return first;
}
