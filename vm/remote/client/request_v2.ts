// SPDX-License-Identifier: GPL-2.0-or-later
/** A request of protocol 2: built, signed, published, withdrawn, cancelled. @module */

import { dateMs } from "../../../shared/io/clock.ts";
import { PRIVATE_FILE } from "../../../shared/io/private_modes.ts";
import { isPresent, removeIfPresent } from "../../../shared/io/sync_files.ts";
import type { AuthKey } from "../../../shared/protocol/auth_key.ts";
import { type Command, encodeCommand } from "../../../shared/protocol/command.ts";
import { makeNonce, type RequestFields, sealEnvelope } from "../../../shared/protocol/envelope.ts";
import { newRequestId } from "../../../shared/io/new_request_id.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import type { VmName } from "../../../shared/protocol/vm_name.ts";
import type { AnswerForm } from "../files/answer_form.ts";
import { type Detached, forgetDetached, writeDetached } from "../files/detached.ts";
import type { Layout } from "../files/layout.ts";
import { writeOwned, writeUnowned } from "../files/owned_file.ts";
import { LIVE } from "../../../shared/protocol/payload.ts";
import type { Spooled } from "../files/payload_file.ts";
import { dropPayload } from "../files/result_files.ts";
import { readAnswer } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import type { LiveInput } from "../live/live_input.ts";

/** What comes to the command's stdin: all there before it is signed, or passed on as it comes. */
export type Brings = Spooled | LiveInput;

/** What a request says, besides who it is from. */
export interface RequestWords extends Pick<RequestFields, "flags" | "why" | "timeoutMs"> {
  readonly command: Command;
  /** The form in which `wait` will show the answer; null: the client waits for it now. */
  readonly detachedForm: AnswerForm | null;
  /** What it brings; null or nothing: nothing. */
  readonly brings?: Brings | null;
  /** A detached request that ends in dom0 if this program ends before it lets go of it. */
  readonly isHeld?: boolean;
}

/** Signs a request. Nothing is written before publish(). */
export async function createRequestV2(
  layout: Layout,
  key: AuthKey,
  vm: VmName,
  words: RequestWords,
): Promise<Exchange> {
  const { command, flags, why, timeoutMs, detachedForm } = words;
  const { brings = null, isHeld = false } = words;
  const nowMs = dateMs();
  const id = newRequestId(nowMs);
  const nonce = makeNonce();
  const { mode } = command;
  const body = encodeCommand(command);
  const fields = { id, vm, issuedAtMs: nowMs, timeoutMs, mode, flags, why, nonce, body };
  const payload = brings?.payload ?? null;
  const envelope = await sealEnvelope({ ...fields, payload }, key);
  return {
    id,
    canCancel: true,
    signsOutput: true,
    async publish() {
      if (brings?.payload === LIVE) await brings.begin(layout, key, { vm, id, nonce });
      else brings?.assign(layout, id);
      if (detachedForm !== null) {
        const detached = { id, nonce, vm, form: detachedForm, timeoutMs };
        return await publishDetached(layout, envelope, detached, isHeld);
      }
      const temporary = temporaryPath(layout, id);
      const file = await writeOwned(layout, temporary, envelope);
      Deno.renameSync(temporary, `${layout.pending}/${id}`);
      return file;
    },
    isPending: () => isPresent(`${layout.pending}/${id}`),
    withdraw() {
      const isBack = removeIfPresent(`${layout.pending}/${id}`);
      if (isBack) dropPayload(layout, id);
      return isBack;
    },
    cancel: () => cancel(layout, id),
    answer: () => readAnswer(layout, { id, nonce }, key, vm),
  };
}

/** What is needed to verify the answer is on disk before dom0 can have the request. */
async function publishDetached(
  layout: Layout,
  envelope: Uint8Array,
  detached: Detached,
  isHeld: boolean,
): Promise<Disposable> {
  const { id } = detached;
  await writeDetached(layout, detached);
  try {
    const temporary = temporaryPath(layout, id);
    const write = isHeld ? writeOwned : writeUnowned;
    const file = await write(layout, temporary, envelope);
    Deno.renameSync(temporary, `${layout.pending}/${id}`);
    return file;
  } catch (error) {
    forgetDetached(layout, id);
    throw error;
  }
}

/** A request sent with --detach. Whoever waits for it may stop waiting: it goes on. */
export function reopenRequest(layout: Layout, key: AuthKey, detached: Detached): Exchange {
  const { id, vm } = detached;
  return {
    id,
    canCancel: false,
    signsOutput: true,
    publish: () => Promise.resolve({ [Symbol.dispose]() {} }),
    isPending: () => isPresent(`${layout.pending}/${id}`),
    withdraw: () => false,
    cancel: () => cancel(layout, id),
    answer: () => readAnswer(layout, detached, key, vm),
  };
}

function temporaryPath({ queue }: Layout, id: RequestId): string {
  return `${queue}/.${id}.new`;
}

function cancel(layout: Layout, id: RequestId): void {
  try {
    const options = { write: true, createNew: true, mode: PRIVATE_FILE };
    Deno.openSync(`${layout.cancel}/${id}`, options).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}
