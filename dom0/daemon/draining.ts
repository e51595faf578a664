// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Draining: as long as an operator's program holds a lease, the daemon begins nothing new, so what runs becomes
 * less until nothing does. Then the program stops the daemon, and no request comes between. A program that
 * is killed holds no lease any more: the kernel lets go of its lock, and the daemon goes on as before.
 *
 * @module
 */

import { errorText } from "../../shared/cli/program.ts";
import { releaseLock, tryLock } from "../../shared/io/file_lock.ts";
import { ifPresent } from "../../shared/io/files.ts";
import type { Answer } from "../approval/parking.ts";
import type { Admission } from "../judge/admission.ts";
import { leaseFile } from "../operator/lease.ts";
import { type Audit, recordQuietly } from "../record/audit_log.ts";

export interface DrainingOptions {
  readonly ordersFolder: string;
  readonly admission: Admission;
  /** What runs or waits to run, for people. */
  readonly open: () => readonly string[];
  readonly audit: Audit;
}

/** @returns what still runs, a line for each; nothing new is begun until the lease ends */
export type Drain = (lease: string, by: string) => Promise<Answer>;

export function createDraining({ ordersFolder, admission, open, audit }: DrainingOptions): Drain {
  const leases = new Set<string>();
  const hold = (file: Deno.FsFile, lease: string, by: string): void => {
    const reopen = admission.close();
    leases.add(lease);
    recordQuietly(audit, "draining", { by });
    file.lock(true).then(() => releaseLock(file)).catch((error) => {
      console.error(`lease: ${errorText(error)}`);
    }).finally(() => {
      leases.delete(lease);
      recordQuietly(audit, "drained", { by });
      reopen();
    });
  };
  return async (lease, by) => {
    if (!leases.has(lease)) {
      const file = await ifPresent(Deno.open(leaseFile(ordersFolder, lease), { read: true }));
      if (file === undefined) return { ok: false, text: "there is no such lease" };
      if (await tryLock(file)) {
        releaseLock(file);
        return { ok: false, text: "nobody holds that lease" };
      }
      hold(file, lease, by);
    }
    return { ok: true, text: open().join("\n") };
  };
}
