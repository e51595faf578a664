// SPDX-License-Identifier: GPL-2.0-or-later
/** A process of its own that records: audit-writer.ts FOLDER NAME COUNT MAX-FILE-BYTES. @module */

import { openAudit } from "../../../dom0/record/audit_log.ts";
import { auditPaths } from "../fixture.ts";

if (import.meta.main) {
  const [folder = "", name = "", count = "", maxFileBytes = ""] = Deno.args;
  const audit = openAudit({
    ...auditPaths(folder),
    dateMs: Date.now,
    maxFileBytes: Number(maxFileBytes),
  });
  Deno.stdout.writeSync(new Uint8Array([0x0a])); // ready
  Deno.stdin.readSync(new Uint8Array(1)); // go
  for (let n = 0; n < Number(count); n++) audit.record("test", { by: name, n });
  audit.close();
}
