// SPDX-License-Identifier: GPL-2.0-or-later
/** Plans that run and have run, from the files that the daemon keeps of them. @module */

import { ifPresent, readSmallText } from "../../../shared/io/files.ts";
import type { PlanView } from "../../plans/plan_view.ts";

const MAX_VIEW_BYTES = 1024 * 1024;

/** Newest first. */
export async function readPlans(folder: string): Promise<readonly PlanView[]> {
  const names = await ifPresent(Array.fromAsync(Deno.readDir(folder), ({ name }) => name)) ?? [];
  const found = await Promise.all(
    names.filter((name) => name.endsWith(".json")).map(async (name) => {
      const text = await ifPresent(readSmallText(`${folder}/${name}`, MAX_VIEW_BYTES));
      return text === undefined ? [] : [JSON.parse(text) as PlanView]; // the daemon's own file
    }),
  );
  return found.flat().toSorted((one, other) => other.begunMs - one.begunMs);
}
