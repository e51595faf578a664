// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * An answer is whole before its request goes away, so a crash in between leaves both, and the
 * next session only tidies up. Takes one request from its folder to dom0, or answers it here:
 *
 *     pending/ID --is a request, not cancelled--> running/ID --> sent
 *          \--cancelled, or its client is gone         \--> sent again by a later session
 *           \      --> answered "cancelled"
 *           \--dom0 does not know this kind of request: answered "refused"
 *           \--no request--> refused/, answered "refused"
 *
 * What the file system refuses ends the request it was about, and nothing else waits for it.
 *
 * @module
 */

import type { Bytes } from "../../../shared/protocol/bytes.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import { V1_NONCE } from "../../../shared/protocol/v1.ts";
import type { VmSession } from "../../../shared/protocol/vm_session.ts";
import type { Layout } from "../files/layout.ts";
import { openRequest } from "./open_request.ts";
import type { OpenRequests } from "./open_requests.ts";
import { attempt } from "../files/local_failure.ts";
import { isPresent, removeIfPresent, renameIfPresent } from "../../../shared/io/sync_files.ts";
import { clear, isPlain } from "../files/plain_file.ts";
import { type QueueEntry, readQueueEntry, readV1Token } from "../files/queue_entry.ts";
import { createOwnerWatch, ownerOf } from "../files/request_owner.ts";
import { answerLocally, forgetRequest, isAnswered } from "../files/result_files.ts";
import { setAside } from "../files/set_aside.ts";
import type { V1Tokens } from "./v1_tokens.ts";

export interface CourierPorts {
  readonly layout: Layout;
  readonly session: VmSession;
  readonly open: OpenRequests;
  readonly tokens: V1Tokens;
  readonly send: (bytes: Bytes) => void;
  readonly audit: (line: string) => void;
}

/** Each call needs a credit, and may not use it. */
export interface QueueCourier {
  /** Deals with pending/ID. */
  take(id: RequestId): void;
  /** Deals with running/ID, which an earlier session left. */
  takeAgain(id: RequestId): void;
  /** Deals with cancel/ID. Needs no credit. */
  cancel(id: RequestId): void;
  /** Ends in dom0 what nobody here can use any more. Needs no credit. */
  endInDom0(id: RequestId, why: string): void;
  /** Deals with pending/ID when its token did not come. Needs no credit. */
  giveUpToken(id: RequestId): void;
}

/** Entries that this session leaves alone; of more, the first is tried again. */
const MAX_STUCK = 1_000;

type Sendable = QueueEntry & { readonly kind: "envelope" | "v1" };

function nonceOf(entry: Sendable): string {
  return entry.kind === "envelope" ? entry.nonce : V1_NONCE;
}

export function createQueueCourier(ports: CourierPorts): QueueCourier {
  const { layout, session, open, tokens, send, audit } = ports;
  const owners = createOwnerWatch();
  const pending = (id: RequestId) => `${layout.pending}/${id}`;
  const running = (id: RequestId) => `${layout.running}/${id}`;
  const isCancelled = (id: RequestId) => isPresent(`${layout.cancel}/${id}`);

  const clearAway = (id: RequestId): void => {
    for (const path of [pending(id), running(id)]) if (isPresent(path)) setAside(layout, path, id);
    for (const suffix of ["auth", "cmd"]) clear(layout, `${pending(id)}.${suffix}`);
    forgetRequest(layout, id);
  };

  const refuse = (id: RequestId, why: string): void => {
    const text = `qvmremote.Queue: not sent to dom0: ${why}\n`;
    answerLocally(layout, id, V1_NONCE, { kind: "refused", reason: "bad-body" }, text);
    clearAway(id);
    audit(`REFUSED-LOCALLY id=${id} ${printable(why)}`);
  };

  /** Whether dom0 is too old for it. */
  const isUnknown = (entry: Sendable): boolean =>
    entry.kind === "envelope" && entry.needs !== null && !session.agreed(entry.needs);

  const refuseUnknown = (id: RequestId, entry: Sendable): void => {
    answerLocally(layout, id, nonceOf(entry), { kind: "refused", reason: "not-known" }, "");
    removeIfPresent(pending(id));
    audit(`REFUSED-LOCALLY id=${id} "dom0 does not know this kind of request"`);
  };

  /** Only now that it is in running/, where no crash can lose it. */
  const dispatch = (id: RequestId, entry: Sendable): void => {
    const request = openRequest(layout, id, entry.kind === "v1" ? 1 : 2);
    let sent;
    if (entry.kind === "envelope") sent = session.request(entry.bytes);
    else {
      const untrustedToken = readV1Token(`${running(id)}.auth`);
      if (untrustedToken === undefined) return refuse(id, "its token is gone");
      sent = session.requestV1({ id, untrustedToken, body: entry.body });
    }
    send(sent.frame);
    open.add(sent.seq, request);
    owners.watch(running(id), () => {
      if (open.seqOf(id) !== undefined) endInDom0(id, "its client is gone");
    });
    if (isCancelled(id)) cancel(id);
  };

  const takeAgain = (id: RequestId): void => {
    if (open.seqOf(id) !== undefined) return;
    const entry = readQueueEntry(running(id), id);
    if (entry.kind === "bad") refuse(id, entry.why);
    else if (entry.kind !== "absent" && isUnknown(entry)) loseTrack(id, entry);
    else if (entry.kind !== "absent") dispatch(id, entry);
  };

  /** A dom0 that knew it has it, perhaps; this one cannot be asked. */
  const loseTrack = (id: RequestId, entry: Sendable): void => {
    const text = "qvmremote.Queue: dom0's daemon is older now: it cannot say what became of this\n";
    const outcome = { kind: "interrupted", reason: null } as const;
    answerLocally(layout, id, nonceOf(entry), outcome, text);
    forgetRequest(layout, id);
    audit(`LOST id=${id} "dom0 does not know this kind of request any more"`);
  };

  const take = (id: RequestId): void => {
    if (open.seqOf(id) !== undefined || tokens.isAwaited(id)) return;
    const entry = readQueueEntry(pending(id), id);
    if (entry.kind === "absent") return;
    if (entry.kind === "bad") return refuse(id, entry.why);
    if (isCancelled(id)) return cancel(id);
    if (isAnswered(layout, id)) { // a copy of an old request: whoever asked has an answer
      clearAway(id);
      return audit(`REFUSED-LOCALLY id=${id} "answered before"`);
    }
    if (ownerOf(pending(id)) === "gone") return cancelHere(id, entry, "its client is gone");
    if (isUnknown(entry)) return refuseUnknown(id, entry);
    if (entry.kind === "v1" && !tokens.take(id)) return;
    if (isPresent(running(id)) && !isPlain(running(id))) clear(layout, running(id));
    if (!renameIfPresent(pending(id), running(id))) {
      if (isPresent(pending(id))) throw new Error(`${layout.running} is gone`);
      return; // its client took it back
    }
    // A body of protocol 1 is whole only now that its token is there: read it once more.
    if (entry.kind === "v1") takeAgain(id);
    else dispatch(id, entry);
  };

  const cancel = (id: RequestId): void => {
    if (open.seqOf(id) !== undefined) return endInDom0(id, "");
    if (isPresent(running(id))) return; // goes with it, when it is sent again
    const entry = readQueueEntry(pending(id), id);
    if (entry.kind === "envelope" || entry.kind === "v1") cancelHere(id, entry, "");
    clear(layout, `${layout.cancel}/${id}`);
  };

  const cancelHere = (id: RequestId, entry: Sendable, why: string): void => {
    answerLocally(layout, id, nonceOf(entry), { kind: "cancelled", reason: null }, "");
    removeIfPresent(pending(id));
    audit(`CANCEL id=${id} before dom0 took it ${why}`.trimEnd());
  };

  const endInDom0 = (id: RequestId, why: string): void => {
    const seq = open.seqOf(id);
    const frame = seq === undefined ? null : session.cancel(seq);
    if (frame === null) return; // cancelled before, or about to be answered
    send(frame);
    audit(`CANCEL id=${id} ${why}`.trimEnd());
  };

  const stuck = new Set<RequestId>();
  /** It is not sent, and not looked at again in this session; its client is told if that is possible. */
  const giveUp = (id: RequestId, why: string): void => {
    stuck.add(id);
    for (const first of stuck) if (stuck.size > MAX_STUCK) stuck.delete(first);
    audit(`REFUSED-LOCALLY id=${id} ${printable(why, 200)}`);
    attempt(() => {
      const outcome = { kind: "refused", reason: "not-sent" } as const;
      answerLocally(layout, id, V1_NONCE, outcome, `qvmremote.Queue: not sent to dom0: ${why}\n`);
      clearAway(id);
    });
  };
  const oneByOne = (work: (id: RequestId) => void) => (id: RequestId): void => {
    if (stuck.has(id)) return;
    const why = attempt(() => work(id));
    if (why !== null) giveUp(id, why);
  };

  return {
    take: oneByOne(take),
    takeAgain: oneByOne(takeAgain),
    cancel: oneByOne(cancel),
    endInDom0,
    giveUpToken: oneByOne((id) => {
      if (isPresent(pending(id))) refuse(id, "no token beside it (protocol 1)");
    }),
  };
}
