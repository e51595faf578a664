// SPDX-License-Identifier: GPL-2.0-or-later
/** One request on its way: what is the same in both protocols, and what is not. @module */

import type { RequestId } from "../../../shared/protocol/request_id.ts";
import type { Answer } from "./answer.ts";

export interface Exchange {
  readonly id: RequestId;
  /** False in protocol 1: there dom0 cannot be told. */
  readonly canCancel: boolean;
  /** False in protocol 1: an answer there is only as good as whoever can write files here. */
  readonly signsOutput: boolean;
  /** Puts it into the queue. Closing the file releases the lock that shows that somebody waits. */
  publish(): Promise<Disposable>;
  /** Whether dom0's side has not taken it. */
  isPending(): boolean;
  /** Takes it back; false if dom0's side has taken it. */
  withdraw(): boolean;
  /** Asks dom0 to end it. */
  cancel(): void;
  /** Reads the answer once it is whole. */
  answer(): Promise<Answer>;
}
