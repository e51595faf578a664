// SPDX-License-Identifier: GPL-2.0-or-later
/** What a daemon that starts says of an upgrade that was cut off. @module */

import { canTryLock, isLocked } from "../../shared/io/file_lock.ts";
import type { Paths } from "../settings/paths.ts";
import { readUpgrade, unfinishedText } from "./record.ts";

/** null: there is none, or an upgrade that lives has started this daemon itself. */
export async function unfinishedUpgrade(
  paths: Pick<Paths, "upgradeFile" | "upgradeFolder">,
): Promise<string | null> {
  const record = await readUpgrade(paths);
  const mayStart = record?.step === "start" || record?.step === "check";
  // Where a lock can only be waited for, asking would end with holding it.
  const lives = mayStart && (!canTryLock() || await isLocked(paths.upgradeFolder) === true);
  return lives ? null : unfinishedText(record);
}
