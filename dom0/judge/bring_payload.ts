// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A taken request that brings something: its session hears that it was taken, and is asked for the
 * payload. Everything else follows when all of it is here and checked.
 *
 * @module
 */

import { LIVE } from "../../shared/protocol/payload.ts";
import { createIntake } from "../payload/intake.ts";
import { PayloadRefused } from "../payload/payload_store.ts";
import { receivedPayload } from "../payload/received_payload.ts";
import { decisionFields } from "../record/decision_fields.ts";
import type { Received } from "./answers.ts";
import type { TakenRequest, Way } from "./taken_request.ts";
import { type Judged, NEXT } from "./verdict.ts";

/** With its payload, and what the policy says of it by now. */
export type GoOn = (taken: TakenRequest) => Promise<unknown>;

export async function bringPayload(
  taken: TakenRequest,
  ruling: Judged<"ask" | "run">,
  way: Way,
  goOn: GoOn,
): Promise<Received> {
  const { job, written, seat } = taken;
  await written;
  const received = way.answers.sit(job, seat);
  goOnWhenWhole({ ...taken, seat: null }, ruling, way, goOn).catch((error) => {
    if (job.outcome() !== null) return;
    const isRefused = error instanceof PayloadRefused;
    const reason = isRefused ? "bad-payload" : "not-recorded";
    const text = isRefused ? error.message : null;
    way.answers.endRefused(job, { reason, text, told: ruling.told }, null);
  }).finally(way.onChange);
  return received;
}

/** @throws {PayloadRefused} */
async function goOnWhenWhole(
  taken: TakenRequest,
  { judged: { command, judgement: before }, told }: Judged<"ask" | "run">,
  { payloads, concluding, clock }: Way,
  goOn: GoOn,
): Promise<void> {
  const { request, job, stops } = taken;
  if (request.payload === null || request.payload === LIVE) {
    throw new Error("bug: nothing to wait for");
  }
  let abandon = (): void => {};
  stops.leadTo((reason) => {
    abandon();
    concluding.endUnstarted(job, reason);
  });
  const file = await payloads.open(request, request.payload);
  if (job.outcome() !== null) return file.leave();
  const intake = createIntake(file, request.payload.bytes, clock);
  abandon = intake.abandon;
  job.expect(intake);
  await intake.whole;
  void job.ended().then(file.drop);
  const judgement = await before.again(); // the rules may have changed while it came
  if (job.outcome() !== null) return;
  await goOn({
    ...taken,
    payload: receivedPayload(file.path, request.payload),
    ruling: {
      next: NEXT[judgement.decision.action],
      judged: { command, judgement },
      told: { ...told, ...decisionFields(judgement, command) },
    },
  });
}
