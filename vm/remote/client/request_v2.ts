// SPDX-License-Identifier: GPL-2.0-or-later
/** A request of protocol 2: built, signed, published, withdrawn, cancelled. @module */

import { dateMs } from "../../../shared/io/clock.ts";
import { PRIVATE_FILE } from "../../../shared/io/files.ts";
import type { AuthKey } from "../../../shared/protocol/auth_key.ts";
import { type Command, encodeCommand } from "../../../shared/protocol/command.ts";
import { makeNonce, PLAIN_REQUEST, sealEnvelope } from "../../../shared/protocol/envelope.ts";
import { makeRequestId } from "../../../shared/protocol/request_id.ts";
import type { VmName } from "../../../shared/protocol/vm_name.ts";
import { readAnswer } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import type { Layout } from "../files/layout.ts";
import { randomBits, writeOwned } from "../files/owned_file.ts";
import { isPresent, removeIfPresent } from "../../../shared/io/sync_files.ts";

/** Signs a request. Nothing is written before publish(). */
export async function createRequestV2(
  layout: Layout,
  key: AuthKey,
  vm: VmName,
  command: Command,
  timeoutMs: number,
): Promise<Exchange> {
  const nowMs = dateMs();
  const id = makeRequestId(nowMs, Deno.pid, randomBits());
  const nonce = makeNonce();
  const { mode } = command;
  const body = encodeCommand(command);
  const fields = { id, vm, issuedAtMs: nowMs, timeoutMs, mode, ...PLAIN_REQUEST, nonce, body };
  const envelope = await sealEnvelope(fields, key);
  return {
    id,
    canCancel: true,
    signsOutput: true,
    async publish() {
      const temporary = `${layout.queue}/.${id}.new`;
      const file = await writeOwned(layout, temporary, envelope);
      Deno.renameSync(temporary, `${layout.pending}/${id}`);
      return file;
    },
    isPending: () => isPresent(`${layout.pending}/${id}`),
    withdraw: () => removeIfPresent(`${layout.pending}/${id}`),
    cancel() {
      try {
        const options = { write: true, createNew: true, mode: PRIVATE_FILE };
        Deno.openSync(`${layout.cancel}/${id}`, options).close();
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      }
    },
    answer: () => readAnswer(layout, { id, nonce }, key, vm),
  };
}
