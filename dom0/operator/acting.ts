// SPDX-License-Identifier: GPL-2.0-or-later
/** Who acts as the operator of dom0, and the record of it. @module */

import { dateMs } from "../../shared/io/clock.ts";
import type { AuditFields } from "../record/audit_chain.ts";
import { refuseNewer } from "../../shared/io/state_formats.ts";
import { openAudit } from "../record/audit_log.ts";
import type { Paths } from "../settings/paths.ts";
import { stateFormats } from "../settings/state_formats.ts";

/** The first parameter of each operator's action, whether from the command line or the web admin. */
export interface Acting {
  readonly paths: Paths;
  /** The user who acts, by name or number; behind sudo, the one in front of it. */
  readonly invokedBy: string;
}

/** Puts what an operator did into the audit; it is on the disk when this resolves. */
export async function recordAction(
  { paths, invokedBy }: Acting,
  action: string,
  fields: AuditFields,
): Promise<void> {
  await refuseNewer(paths.formatsFile, stateFormats(paths));
  const audit = openAudit({ ...paths, dateMs });
  audit.record("operator", { action, ...fields, by: invokedBy });
  await audit.sync();
  audit.close();
}
