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
 * An error of the file system ends the request concerned and holds up no other.
 *
 * @module
 */

import type { Bytes } from "../../../shared/protocol/bytes.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import type { VmSession } from "../../../shared/protocol/vm_session.ts";
import type { Layout } from "../files/layout.ts";
import {
  createLocalAnswers,
  type LocalAnswers,
  pending,
  running,
  type Sendable,
} from "./local_answers.ts";
import { openRequest } from "./open_request.ts";
import type { OpenRequests } from "./open_requests.ts";
import { attempt } from "../files/local_failure.ts";
import { isPresent, renameIfPresent } from "../../../shared/io/sync_files.ts";
import { clear, isPlain } from "../files/plain_file.ts";
import { readQueueEntry, readV1Token } from "../files/queue_entry.ts";
import { createOwnerWatch, ownerOf } from "../files/request_owner.ts";
import { isAnswered } from "../files/result_files.ts";
import type { V1Tokens } from "./v1_tokens.ts";

export interface CourierPorts {
  readonly layout: Layout;
  readonly session: VmSession;
  readonly open: OpenRequests;
  readonly tokens: V1Tokens;
  readonly send: (bytes: Bytes) => void;
  readonly audit: (line: string) => void;
}

/** Each call needs a credit, but may not use it. */
export interface QueueCourier {
  /** Deals with pending/ID. */
  take(id: RequestId): void;
  /** Deals with running/ID, which an earlier session left. */
  takeAgain(id: RequestId): void;
  /** Deals with cancel/ID. Needs no credit. */
  cancel(id: RequestId): void;
  /** Ends requests in dom0 that nobody here can use any more. Needs no credit. */
  endInDom0(id: RequestId, why: string): void;
  /** Deals with pending/ID when its token did not come. Needs no credit. */
  giveUpToken(id: RequestId): void;
}

/** Entries that this session leaves alone; of more, the first is tried again. */
const MAX_STUCK = 1_000;

export function createQueueCourier(ports: CourierPorts): QueueCourier {
  const { layout, open, audit } = ports;
  const answers = createLocalAnswers(layout, audit);
  const owners = createOwnerWatch();
  const watchOwner = (id: RequestId): void =>
    owners.watch(running(layout, id), () => {
      if (open.seqOf(id) !== undefined) endInDom0(ports, id, "its client is gone");
    });
  const courier: Courier = { ports, answers, watchOwner };
  const stuck = new Set<RequestId>();
  /** An entry that fails is not sent, and is ignored for the rest of this session. */
  const oneByOne = (work: (id: RequestId) => void) => (id: RequestId): void => {
    if (stuck.has(id)) return;
    const why = attempt(() => work(id));
    if (why === null) return;
    stuck.add(id);
    for (const first of stuck) if (stuck.size > MAX_STUCK) stuck.delete(first);
    answers.notSent(id, why);
  };
  return {
    take: oneByOne((id) => take(courier, id)),
    takeAgain: oneByOne((id) => send(courier, id, true)),
    cancel: oneByOne((id) => cancel(courier, id)),
    endInDom0: (id, why) => endInDom0(ports, id, why),
    giveUpToken: oneByOne((id) => {
      if (!isPresent(pending(layout, id))) return;
      answers.refuse(id, "no token beside it (protocol 1)");
    }),
  };
}

interface Courier {
  readonly ports: CourierPorts;
  readonly answers: LocalAnswers;
  /** Ends it in dom0 when its client is gone. */
  readonly watchOwner: (id: RequestId) => void;
}

/** Whether dom0 is too old for it. */
function isUnknown({ session }: CourierPorts, entry: Sendable): boolean {
  return entry.kind === "envelope" && !entry.needs.every(session.agreed);
}

function isCancelled(layout: Layout, id: RequestId): boolean {
  return isPresent(`${layout.cancel}/${id}`);
}

function take(courier: Courier, id: RequestId): void {
  const { ports, answers } = courier;
  const { layout, open, tokens } = ports;
  const [from, to] = [pending(layout, id), running(layout, id)];
  if (open.seqOf(id) !== undefined || tokens.isAwaited(id)) return;
  const entry = readQueueEntry(from, id);
  if (entry.kind === "absent") return;
  if (entry.kind === "bad") return answers.refuse(id, entry.why);
  if (isCancelled(layout, id)) return cancel(courier, id);
  if (isAnswered(layout, id)) return answers.dropCopy(id);
  if (ownerOf(from) === "gone") return answers.cancel(id, entry, "its client is gone");
  if (isUnknown(ports, entry)) return answers.refuseUnknown(id, entry);
  if (entry.kind === "v1" && !tokens.take(id)) return;
  if (isPresent(to) && !isPlain(to)) clear(layout, to);
  if (!renameIfPresent(from, to)) {
    if (isPresent(from)) throw new Error(`${layout.running} is gone`);
    return; // its client took it back
  }
  // A body of protocol 1 is whole only now that its token is there: read it once more.
  if (entry.kind === "v1") send(courier, id, false);
  else dispatch(courier, id, entry, false);
}

/** Sends what is in running/. */
function send(courier: Courier, id: RequestId, wasSent: boolean): void {
  const { ports, answers } = courier;
  if (ports.open.seqOf(id) !== undefined) return;
  const entry = readQueueEntry(running(ports.layout, id), id);
  if (entry.kind === "absent") return;
  if (entry.kind === "bad") return answers.refuse(id, entry.why);
  if (isUnknown(ports, entry)) return answers.loseTrack(id, entry);
  dispatch(courier, id, entry, wasSent);
}

/** Only now that it is in running/, where no crash can lose it. */
function dispatch(courier: Courier, id: RequestId, entry: Sendable, wasSent: boolean): void {
  const { ports: { layout, session, open, send }, answers } = courier;
  const request = openRequest(layout, id, entry.kind === "v1" ? 1 : 2, wasSent);
  let sent;
  if (entry.kind === "envelope") sent = session.request(entry.bytes);
  else {
    const untrustedToken = readV1Token(`${running(layout, id)}.auth`);
    if (untrustedToken === undefined) return answers.refuse(id, "its token is gone");
    sent = session.requestV1({ id, untrustedToken, body: entry.body });
  }
  send(sent.frame);
  open.add(sent.seq, request);
  courier.watchOwner(id);
  if (isCancelled(layout, id)) cancel(courier, id);
}

function cancel({ ports, answers }: Courier, id: RequestId): void {
  const { layout, open } = ports;
  if (open.seqOf(id) !== undefined) return endInDom0(ports, id, "");
  if (isPresent(running(layout, id))) return; // goes with it, when it is sent again
  const entry = readQueueEntry(pending(layout, id), id);
  if (entry.kind === "envelope" || entry.kind === "v1") answers.cancel(id, entry, "");
  clear(layout, `${layout.cancel}/${id}`);
}

function endInDom0({ open, session, send, audit }: CourierPorts, id: RequestId, why: string): void {
  const seq = open.seqOf(id);
  const frame = seq === undefined ? null : session.cancel(seq);
  if (frame === null) return; // cancelled before, or about to be answered
  send(frame);
  audit(`CANCEL id=${id} ${why}`.trimEnd());
}
