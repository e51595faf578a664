// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * `make check-policies`: every call of the table with what the policy files make of it, for people.
 * Ends with 1 if a verdict is not the expected one.
 *
 * @module
 */
import {
  decideCallOf,
  filesOfSet,
  loadSet,
  readTable,
  type TableCall,
  written,
} from "./call_table.ts";
import { type Decision, DENIED_BY_RULE } from "../../dom0/qrexec_policy/decide.ts";

const WIDTHS = [7, 6, 13, 19, 33] as const;

function main(): number {
  const { system, sets, calls } = readTable();
  const loaded = new Map(
    Object.entries(sets).map(([name, set]) => [name, loadSet(filesOfSet(set))]),
  );
  const counts: Record<string, number> = { allow: 0, ask: 0, deny: 0 };
  let wrong = 0;
  let heading = "";
  for (const call of calls) {
    const rules = loaded.get(call.set);
    if (rules === undefined) throw new Error(`no set "${call.set}"`);
    const title = `${call.group}: ${sets[call.set]?.about}`;
    if (title !== heading) console.log(`\n${title}`);
    heading = title;
    const decision = decideCallOf(rules, system, call);
    const got = written(decision);
    const isRight = got === call.expect;
    const cells = [decision.verdict, call.source, call.target || '""', call.service];
    console.log(row(isRight ? "ok" : "WRONG", ...cells) + notes(decision, call).join("; "));
    if (!isRight) console.log(`      expected: ${call.expect}`);
    counts[decision.verdict] = (counts[decision.verdict] ?? 0) + 1;
    wrong += isRight ? 0 : 1;
  }
  const total = Object.entries(counts).map(([verdict, count]) => `${count} ${verdict}`).join(", ");
  console.log(`\n${calls.length} calls: ${total}; ${wrong} not as expected`);
  return wrong === 0 && calls.length > 0 ? 0 : 1;
}

/** Where it leads if not where it was meant to, which line decided, and why. */
function notes(decision: Decision, { target, why }: TableCall): readonly string[] {
  const to = written(decision).slice(decision.verdict.length + 1);
  const rule = decision.at?.replace(/^.*\//, "");
  const reason = decision.verdict === "deny" && decision.why !== DENIED_BY_RULE && decision.why;
  return [to !== "" && to !== target && `to ${to}`, rule, reason, why].filter(isText);
}

const isText = (value: string | false | undefined): value is string => Boolean(value);

function row(...cells: readonly string[]): string {
  return cells.map((cell, i) => `${cell.padEnd((WIDTHS[i] ?? 0) - 1)} `).join("");
}

if (import.meta.main) Deno.exit(main());
