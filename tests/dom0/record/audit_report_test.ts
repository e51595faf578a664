// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import type { AuditFields } from "../../../dom0/record/audit_chain.ts";
import { createReportMaker, type Report, reportText } from "../../../dom0/record/audit_report.ts";

function reportOf(records: readonly (readonly [event: string, fields: AuditFields])[]): Report {
  const maker = createReportMaker();
  for (const [minute, [event, fields]] of records.entries()) {
    const time = new Date(Date.UTC(2026, 10, 22, 9, minute)).toISOString();
    maker.add({ time, event, ...fields });
  }
  return maker.report();
}

const START = { operation: "vm.start", targets: ["ai-1"], rule: "50.policy:1", command: "x" };

const WEEK: readonly (readonly [event: string, fields: AuditFields])[] = [
  ["started", { pid: 1 }],
  ["operator", { action: "authorize", vm: "work" }],
  ["connected", { vm: "work" }],
  ["accepted", { vm: "work", id: "1", ...START }],
  ["done", { vm: "work", id: "1", exit: 0 }],
  ["accepted", { vm: "work", id: "2", ...START }],
  ["done", { vm: "work", id: "2", exit: 1 }],
  ["refused", { vm: "work", id: "3", reason: "policy-denied", ...START }],
  ["accepted", {
    vm: "lab",
    id: "1",
    operation: "shell",
    targets: ["dom0"],
    command: "id\n\x1b[31m",
  }],
  ["timeout", { vm: "lab", id: "1", exit: 124 }],
  ["refused", { vm: "lab", id: "2", reason: "bad-mac" }],
  ["parked", { vm: "lab", id: "3", ...START }],
  ["denied", { vm: "lab", id: "3", reason: "not-approved" }],
  ["problem", { problem: "lab: no key" }],
  ["problem", { problem: "lab: no key" }],
  ["operator", { action: "authorize", vm: "work" }],
];

Deno.test("audit report: grouped by VM, operation and qube, with ends and refusals", () => {
  const { vms, operators, problems, records } = reportOf(WEEK);
  assertEquals(records, WEEK.length);
  assertEquals(vms.map(({ vm, rows }) => [vm, rows.length]), [["lab", 3], ["work", 1]]);
  const [row] = vms[1]?.rows ?? [];
  assertEquals(
    [row?.operation, row?.targets, row?.done, row?.failed, row?.refused, row?.last],
    ["vm.start", ["ai-1"], 1, 1, { "policy-denied": 1 }, "2026-11-22T09:07:00.000Z"],
  );
  assertEquals(operators.map(({ what, count }) => [what, count]), [["authorize work", 2]]);
  assertEquals(problems.map(({ what, count }) => [what, count]), [["problem lab: no key", 2]]);
});

Deno.test("audit report: the page", () => {
  assertEquals(
    reportText(reportOf(WEEK)),
    `2026-11-22 09:00 to 2026-11-22 09:15 UTC, records: 16

VM lab
  times  failed  refused  last              what
      1       -        1  2026-11-22 09:12  vm.start ai-1 (not-approved 1)
      1       -        1  2026-11-22 09:10  (not read) (bad-mac 1)
      1       1        -  2026-11-22 09:09  shell dom0 "id\\n\\u{1b}[31m"

VM work
  times  failed  refused  last              what
      3       1        1  2026-11-22 09:07  vm.start ai-1 (policy-denied 1)

Operators in dom0
      2                   2026-11-22 09:15  authorize work

Problems
      2                   2026-11-22 09:14  problem lab: no key
`,
  );
});

Deno.test("audit report: it stays a page, whatever a VM asks for, and says what it leaves out", () => {
  const many = Array.from({ length: 500 }, (_, n): readonly [string, AuditFields] => [
    "accepted",
    { vm: "work", id: String(n), operation: "shell", targets: ["dom0"], command: `echo \x07${n}` },
  ]);
  const text = reportText(reportOf(many));
  assert(text.split("\n").length < 20, text);
  assert(text.includes("... and 488 more: --json has all"), text);
  assert(/^[\x20-\x7e\n]*$/.test(text), "unescaped text");
});
