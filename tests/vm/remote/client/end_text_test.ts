// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import {
  EMPTY_STREAM,
  EXIT_OF_KIND,
  type Outcome,
  type OutcomeKind,
} from "../../../../shared/protocol/outcome.ts";
import type { RefusalReason } from "../../../../shared/protocol/refusal.ts";
import { makeRequestId } from "../../../../shared/protocol/request_id.ts";
import type { StopCause } from "../../../../vm/remote/client/await_answer.ts";
import { describeEnd } from "../../../../vm/remote/client/end_text.ts";
import type { RequestEnd } from "../../../../vm/remote/client/run_request.ts";

const ID = makeRequestId(1_790_000_000_000, 7, 1);

function answered(
  kind: OutcomeKind,
  { cause = null as StopCause | null, reason = null as RefusalReason | null, exit = 0 } = {},
): RequestEnd {
  const outcome: Outcome = {
    ...{ id: ID, nonce: "-", kind, reason, exitCode: EXIT_OF_KIND[kind] ?? exit },
    ...{ startedAtMs: null, durationMs: 5, out: EMPTY_STREAM, err: EMPTY_STREAM },
  };
  return { kind: "answered", outcome, signed: true, cause, unconfirmedBytes: 0 };
}

const CASES: readonly (readonly [end: RequestEnd, exitCode: number, firstMessage: string])[] = [
  [answered("done", { exit: 3 }), 3, ""],
  [answered("timeout"), 124, `timed out after 9s (id=${ID})`],
  [answered("refused", { reason: "policy-denied" }), 126, "error: refused by dom0: the policy in"],
  [answered("cancelled"), 130, `cancelled (id=${ID})`],
  [answered("interrupted"), 130, "error: interrupted: the daemon in dom0 died while it ran"],
  [answered("revoked"), 126, "error: ended in dom0: this VM is no longer authorised"],
  [answered("locked-down"), 126, "error: ended in dom0: dom0 was locked down"],
  [answered("stopping"), 126, "error: ended in dom0: the daemon there was stopped"],
  [answered("output-limit"), 137, "error: ended in dom0: more output"],
  [answered("process-limit"), 137, "error: ended in dom0: more processes"],
  [answered("memory-limit"), 137, "error: ended in dom0: more memory"],
  [answered("not-stored"), 255, "error: the answer could not be stored in this VM"],
  [answered("cancelled", { cause: "deadline" }), 124, `timed out after 9s (id=${ID})`],
  [answered("done", { cause: "deadline", exit: 4 }), 4, ""],
  [answered("cancelled", { cause: "interrupt" }), 130, `interrupted (id=${ID})`],
  [answered("cancelled", { cause: "broken-pipe" }), 141, ""],
  [answered("cancelled", { cause: "write-failed" }), 1, "error: the output could not be written"],
  [{ kind: "withdrawn", cause: "deadline" }, 124, `timed out after 9s (id=${ID})`],
  [{ kind: "withdrawn", cause: "interrupt" }, 130, "interrupted before dom0 took the request"],
  [{ kind: "no-answer", cause: "deadline" }, 255, "error: no answer from dom0 within 9s"],
  [{ kind: "no-answer", cause: "interrupt" }, 130, `interrupted (id=${ID})`],
  [{ kind: "invalid", why: "it is wrong", hints: [] }, 255, `error: it is wrong (id=${ID})`],
];

Deno.test("describeEnd() says what was left running, and its exit code stays", () => {
  for (const [left, said] of [[1, "1 process that was"], [7, "7 processes that were"]] as const) {
    const end = answered("done", { exit: 3 });
    if (end.kind !== "answered") throw new Error("not reached");
    const text = describeEnd(ID, 9000, { ...end, outcome: { ...end.outcome, left } });
    assertEquals([text.exitCode, text.messages], [3, [`ended ${said} left running`]]);
  }
});

for (const [end, exitCode, first] of CASES) {
  const name = end.kind === "answered" ? `${end.outcome.kind} ${end.cause}` : JSON.stringify(end);
  Deno.test(`describeEnd() ${name}: ${exitCode}`, () => {
    const text = describeEnd(ID, 9000, end);
    assertEquals(text.exitCode, exitCode);
    assertEquals((text.messages[0] ?? "").startsWith(first), true, text.messages[0]);
    if (first === "") assertEquals(text.messages, []);
    const log = exitCode === 124 ? `TIMEOUT id=${ID} after=9s` : `DONE id=${ID} exit=${exitCode}`;
    assertEquals(text.auditLine, log);
  });
}
