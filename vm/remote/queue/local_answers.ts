// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Answers that are given here, without dom0: each with its reason in the audit log, and with the
 * request removed from its folder once the answer is whole.
 *
 * @module
 */

import { isPresent, removeIfPresent } from "../../../shared/io/sync_files.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { V1_NONCE } from "../../../shared/protocol/v1.ts";
import type { Layout } from "../files/layout.ts";
import { attempt } from "../files/local_failure.ts";
import { clear } from "../files/plain_file.ts";
import type { QueueEntry } from "../files/queue_entry.ts";
import { answerLocally, dropPayload, forgetRequest } from "../files/result_files.ts";
import { setAside } from "../files/set_aside.ts";

/** An entry that is a request. */
export type Sendable = QueueEntry & { readonly kind: "envelope" | "v1" };

export interface LocalAnswers {
  /** It is no request. */
  refuse(id: RequestId, why: string): void;
  /** dom0 is too old for it. */
  refuseUnknown(id: RequestId, entry: Sendable): void;
  /** A newer dom0 may have taken it; this one cannot be asked. */
  loseTrack(id: RequestId, entry: Sendable): void;
  /** Before dom0 took it. */
  cancel(id: RequestId, entry: Sendable, why: string): void;
  /** A copy of an old request that has its answer. */
  dropCopy(id: RequestId): void;
  /** The file system refused something; its client is told if that is possible. */
  notSent(id: RequestId, why: string): void;
}

export function pending(layout: Layout, id: RequestId): string {
  return `${layout.pending}/${id}`;
}

export function running(layout: Layout, id: RequestId): string {
  return `${layout.running}/${id}`;
}

export function createLocalAnswers(
  layout: Layout,
  audit: (line: string) => void,
): LocalAnswers {
  return {
    refuse(id, why) {
      const text = `qvmremote.Queue: not sent to dom0: ${why}\n`;
      answerLocally(layout, id, V1_NONCE, { kind: "refused", reason: "bad-body" }, text);
      clearAway(layout, id);
      audit(`REFUSED-LOCALLY id=${id} ${printable(why)}`);
    },
    refuseUnknown(id, entry) {
      answerLocally(layout, id, nonceOf(entry), { kind: "refused", reason: "not-known" }, "");
      forgetPending(layout, id);
      audit(`REFUSED-LOCALLY id=${id} "dom0 does not know this kind of request"`);
    },
    loseTrack(id, entry) {
      const text =
        "qvmremote.Queue: dom0's daemon is older now: it cannot say what became of this\n";
      const outcome = { kind: "interrupted", reason: null } as const;
      answerLocally(layout, id, nonceOf(entry), outcome, text);
      forgetRequest(layout, id);
      audit(`LOST id=${id} "dom0 does not know this kind of request any more"`);
    },
    cancel(id, entry, why) {
      answerLocally(layout, id, nonceOf(entry), { kind: "cancelled", reason: null }, "");
      forgetPending(layout, id);
      audit(`CANCEL id=${id} before dom0 took it ${why}`.trimEnd());
    },
    dropCopy(id) {
      clearAway(layout, id);
      audit(`REFUSED-LOCALLY id=${id} "answered before"`);
    },
    notSent(id, why) {
      audit(`REFUSED-LOCALLY id=${id} ${printable(why, 200)}`);
      attempt(() => {
        const outcome = { kind: "refused", reason: "not-sent" } as const;
        answerLocally(layout, id, V1_NONCE, outcome, `qvmremote.Queue: not sent to dom0: ${why}\n`);
        clearAway(layout, id);
      });
    },
  };
}

function forgetPending(layout: Layout, id: RequestId): void {
  removeIfPresent(pending(layout, id));
  dropPayload(layout, id);
}

function nonceOf(entry: Sendable): string {
  return entry.kind === "envelope" ? entry.nonce : V1_NONCE;
}

function clearAway(layout: Layout, id: RequestId): void {
  for (const path of [pending(layout, id), running(layout, id)]) {
    if (isPresent(path)) setAside(layout, path, id);
  }
  for (const suffix of ["auth", "cmd"]) clear(layout, `${pending(layout, id)}.${suffix}`);
  forgetRequest(layout, id);
}
