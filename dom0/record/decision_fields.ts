// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What is recorded of every decision: the operation, the qubes that it touches,
 * the rule that decided, and the hash of what runs or would run. Pure.
 *
 * @module
 */

import { newSha256, sha256Hex } from "../../shared/io/sha256.ts";
import { type Command, encodeCommand } from "../../shared/protocol/command.ts";
import type { Judgement } from "../policy/judge.ts";
import { subjectOf } from "../policy/subject.ts";

/** Fields of a record; a type alias, not an interface, so that it is assignable to AuditFields. */
export type DecisionFields = {
  readonly operation: string;
  readonly targets: readonly string[];
  readonly rule: string;
  readonly ran_sha256: string;
};

export function decisionFields(
  judgement: Pick<Judgement, "recognised" | "plan" | "decision">,
  command: Command,
): DecisionFields {
  const { recognised, decision } = judgement;
  const { operation, targets } = subjectOf(judgement);
  return {
    operation,
    targets,
    rule: decision.because,
    ran_sha256: recognised === null ? hashOfCommand(command) : hashOfWords(recognised.argvs),
  };
}

function hashOfCommand(command: Command): string {
  if (command.mode === "argv") return hashOfWords([command.argv]);
  return sha256Hex(encodeCommand(command));
}

/** Of argument vectors that run one after another: each word is ended by a NUL, each vector by one more. */
export function hashOfWords(argvs: readonly (readonly string[])[]): string {
  const hash = newSha256();
  for (const argv of argvs) hash.update(argv.map((word) => `${word}\0`).join("") + "\0");
  return hash.digest("hex");
}
