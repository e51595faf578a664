// SPDX-License-Identifier: GPL-2.0-or-later
/** What was sent in this session and has no outcome, by number and by id. @module */

import { ProtocolError } from "../../../shared/protocol/refusal.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import type { OpenRequest } from "./open_request.ts";

export interface OpenRequests {
  add(seq: number, request: OpenRequest): void;
  /** @throws {ProtocolError} if dom0 speaks of a request that is not open */
  get(seq: number): OpenRequest;
  seqOf(id: RequestId): number | undefined;
  remove(seq: number): void;
  close(): void;
}

export function createOpenRequests(): OpenRequests {
  const bySeq = new Map<number, OpenRequest>();
  const seqById = new Map<RequestId, number>();
  const get = (seq: number): OpenRequest => {
    const request = bySeq.get(seq);
    if (request === undefined) throw new ProtocolError("unexpected", `no open request ${seq}`);
    return request;
  };
  return {
    add(seq, request) {
      bySeq.set(seq, request);
      seqById.set(request.id, seq);
    },
    get,
    seqOf: (id) => seqById.get(id),
    remove(seq) {
      seqById.delete(get(seq).id);
      bySeq.delete(seq);
    },
    close() {
      for (const request of bySeq.values()) request.close();
    },
  };
}
