// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A VM that is none: the far end of a session with the daemon, in the same program, by the same bytes. It signs one
 * request with its key, takes the output and the outcome, and leaves.
 *
 * @module
 */

import { createSender, readFrames } from "../../shared/io/byte_stream.ts";
import { newRequestId } from "../../shared/io/new_request_id.ts";
import type { QrexecCall } from "../../shared/io/qrexec_call.ts";
import type { AuthKey } from "../../shared/protocol/auth_key.ts";
import { concat, toHex, utf8 } from "../../shared/protocol/bytes.ts";
import { encodeCommand } from "../../shared/protocol/command.ts";
import { makeNonce, PLAIN_REQUEST, sealEnvelope } from "../../shared/protocol/envelope.ts";
import { CAPS_FROM_DOM0 } from "../../shared/protocol/message.ts";
import { type Outcome, verifyOutcome } from "../../shared/protocol/outcome.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { createVmSession, type Dom0Event } from "../../shared/protocol/vm_session.ts";

const TIMEOUT_MS = 30_000;

/** What came of the request; its signature was good. */
export interface LoopedBack {
  readonly outcome: Outcome;
  readonly stdout: string;
}

export interface LoopBack {
  /** What a call of the VM's service would be. */
  readonly call: QrexecCall;
  /** Rejects if the session ended without an outcome, or its signature was wrong. */
  readonly answer: Promise<LoopedBack>;
}

/** One request of that VM, for a script. */
export function loopBack(vm: VmName, key: AuthKey, script: string, nowMs: number): LoopBack {
  const toVm = new TransformStream<Uint8Array, Uint8Array>();
  const toDom0 = new TransformStream<Uint8Array, Uint8Array>();
  const [intoVm, intoDom0] = [toVm.writable.getWriter(), toDom0.writable.getWriter()];
  const answer = Promise.withResolvers<LoopedBack>();
  answer.promise.catch(() => {}); // whoever wants it hears of it
  const over = Promise.withResolvers<void>();
  const end = (): void => {
    intoVm.close().catch(() => {});
    intoDom0.close().catch(() => {});
    over.resolve();
  };
  const { send } = createSender((bytes) => intoDom0.write(bytes), () => {}); // the session's end says it
  const far = createFarEnd({ vm, key, script, nowMs, send, answered: answer.resolve });
  readFrames(toVm.readable, CAPS_FROM_DOM0, far).then(
    () => answer.reject(new Error("the session ended without an answer")),
    answer.reject,
  );
  const ended = over.promise.then(() => ({ code: 0, untrustedStderr: "", stderrFlood: false }));
  const call = {
    output: toDom0.readable,
    input: createSender((bytes) => intoVm.write(bytes), end),
    closeInput: end,
    kill: end,
    ended,
  };
  return { call, answer: answer.promise };
}

interface FarEnd {
  readonly vm: VmName;
  readonly key: AuthKey;
  readonly script: string;
  readonly nowMs: number;
  readonly send: (bytes: Uint8Array) => Promise<void>;
  readonly answered: (answer: LoopedBack) => void;
}

/** @returns what is done about each frame of dom0 */
function createFarEnd(
  { vm, key, script, nowMs, send, answered }: FarEnd,
): (frame: Parameters<ReturnType<typeof createVmSession>["receive"]>[0]) => Promise<void> {
  const session = createVmSession();
  const output: Uint8Array[] = [];
  let isAsked = false;
  const ask = async (): Promise<void> => {
    if (isAsked || !session.hasCredit()) return;
    isAsked = true;
    const fields = { id: newRequestId(nowMs), vm, issuedAtMs: nowMs, nonce: makeNonce() };
    const command = { mode: "script", script: utf8(script) } as const;
    const body = encodeCommand(command);
    const request = {
      ...PLAIN_REQUEST,
      ...fields,
      timeoutMs: TIMEOUT_MS,
      mode: command.mode,
      body,
    };
    await send(session.request(await sealEnvelope(request, key)).frame);
  };
  const act = async (event: Dom0Event): Promise<void> => {
    switch (event.kind) {
      case "hello":
      case "ping":
        await send(event.reply);
        return;
      case "credit":
        return await ask();
      case "output":
        if (event.stream === 1) output.push(event.data.slice());
        return void await send(session.window(event.seq, event.data.length));
      case "outcome": {
        const { outcome, mac } = event;
        if (!await verifyOutcome(key, vm, outcome, toHex(mac))) {
          throw new Error("its signature is wrong");
        }
        await send(session.ack(event.seq));
        return answered({ outcome, stdout: new TextDecoder().decode(concat(output)) });
      }
      case "pull":
      case "want":
      case "enough":
        throw new Error("it asked for data, and the request brings none");
      case "accepted":
      case "parked":
      case "capabilities":
        return;
      default:
        return event satisfies never;
    }
  };
  return async (frame) => await act(session.receive(frame));
}
