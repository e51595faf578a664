// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { createReportMaker } from "../../../dom0/record/audit_report.ts";
import { isEnd, isFailure, isTrouble } from "../../../dom0/record/record_failure.ts";
import { isFailed } from "../../../dom0/admin/pages/record_words.ts";

const TIME = "2026-11-22T09:15:00Z";
const FAILURES = ["refused", "timeout", "revoked", "violation", "audit-altered", "auth-backoff"];
const OTHERS = ["connected", "accepted", "operator", "approved", "informed", "constructor"];

Deno.test("record failure: the command line and the web admin mean the same by it", () => {
  for (const event of [...FAILURES, ...OTHERS]) {
    const onPage = isFailed({ seq: 1, time: TIME, event, fields: {} });
    assertEquals([isFailure(event, undefined), onPage], Array(2).fill(FAILURES.includes(event)));
  }
  assertEquals([0, 1, null, undefined].map((exit) => isFailure("done", exit)), [
    false,
    true,
    true,
    true,
  ]);
  assert(isEnd("done") && isEnd("refused") && !isEnd("violation"));
});

Deno.test("record failure: trouble is what the report lists as problems", () => {
  const maker = createReportMaker();
  for (const event of [...FAILURES, ...OTHERS]) maker.add({ seq: 1, time: TIME, event });
  const listed = maker.report().problems.map(({ what }) => what);
  assertEquals(listed, FAILURES.filter(isTrouble));
  assertEquals(listed, ["violation", "audit-altered", "auth-backoff"]);
});
