// SPDX-License-Identifier: GPL-2.0-or-later
/** One question to a VM's queue, outside a session: the service's argument, one frame back. @module */

import { readFrames } from "../../shared/io/byte_stream.ts";
import { UserError } from "../../shared/cli/program.ts";
import { type Answer, CAPS_OF_ANSWER, decodeAnswer } from "../../shared/protocol/message.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { callQueueService, describeExit } from "./qrexec.ts";

export type Question = "key" | "status" | "list" | "clean" | "recover";

const ANSWER_LIMIT_MS = 20_000;

/** @throws {UserError} if the VM gives no proper answer in time */
export async function askQueue(vm: VmName, question: Question): Promise<Answer> {
  const call = callQueueService(vm, "DEFAULT", question);
  call.closeInput();
  const timer = setTimeout(() => call.kill(), ANSWER_LIMIT_MS);
  let answer: Answer | null = null;
  try {
    await readFrames(call.output, CAPS_OF_ANSWER, (frame) => {
      if (answer !== null) throw new ProtocolError("unexpected", "second answer");
      answer = decodeAnswer(frame);
    });
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UserError(`${vm} broke the protocol: ${error.message}`);
  } finally {
    clearTimeout(timer);
    call.kill();
  }
  const ended = await call.ended;
  if (answer === null) throw new UserError(`${vm}: ${describeExit(ended)}`);
  return answer;
}
