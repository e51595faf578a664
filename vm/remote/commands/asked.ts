// SPDX-License-Identifier: GPL-2.0-or-later
/** What is asked of dom0, besides the command: the options of all commands that run something. @module */

import { parseNumber } from "../../../shared/cli/options.ts";
import { UsageError } from "../../../shared/cli/program.ts";
import type { Command } from "../../../shared/protocol/command.ts";
import type { RequestFlag } from "../../../shared/protocol/flags.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import { ProtocolError } from "../../../shared/protocol/refusal.ts";
import { parseWhy } from "../../../shared/protocol/why.ts";
import type { AnswerForm } from "../files/answer_form.ts";
import { type Given, parseTimeout } from "./cli_words.ts";

/** For a command; operations have times of their own. */
const COMMAND_MS = 300_000;

/** What goes into a request. */
export interface Asked {
  readonly command: Command;
  readonly flags: ReadonlySet<RequestFlag>;
  readonly why: string | null;
  /** How long it may run, in dom0. */
  readonly timeoutMs: number;
}

/** How it goes there. */
export interface Way {
  /** How long dom0 may take to connect: some 100 ms, if it listens at all. */
  readonly connectMs: number;
  readonly protocol: 1 | 2;
  /** Nobody waits for the answer: `wait` fetches it. */
  readonly detached: boolean;
}

/**
 * The options, before the command is read.
 *
 * @param usualMs how long it may run if -t does not say
 * @throws {UsageError}
 */
export function parseAsked(
  given: Given,
  more: readonly RequestFlag[] = [],
  usualMs = COMMAND_MS,
): Omit<Asked, "command"> & Way {
  const flags = new Set<RequestFlag>([
    ...more,
    ...given.has("explain") ? ["explain" as const] : [],
  ]);
  const why = given.value("why");
  const asked = {
    flags,
    why: why === undefined ? null : checkWhy(why),
    timeoutMs: parseTimeout(given, usualMs),
    connectMs: parseConnectTimeout(given),
    protocol: parseProtocol(given.value("protocol")),
    detached: given.has("detach"),
  };
  if (asked.protocol === 1) {
    const later = ["explain", "why", "detach"].find((name) => given.has(name));
    if (later !== undefined) throw new UsageError(`--${later} does not go with --protocol 1`);
  }
  return asked;
}

/** What the answer's stdout contains, given what it contains if the command runs. */
export function formOf({ flags }: Pick<Asked, "flags">, whenRun: AnswerForm): AnswerForm {
  return flags.has("explain") ? "explained" : whenRun;
}

function checkWhy(text: string): string {
  try {
    return parseWhy(text);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UsageError(`--why takes one line of 1 to 200 characters, got: ${printable(text)}`);
  }
}

function parseConnectTimeout(given: Given): number {
  const text = given.value("connect-timeout");
  return 1000 * (text === undefined ? 3 : parseNumber("--connect-timeout", text, 1, 86_400));
}

function parseProtocol(text: string | undefined): 1 | 2 {
  if (text === undefined || text === "2") return 2;
  if (text === "1") return 1;
  throw new UsageError(`--protocol takes 1 or 2, got: ${printable(text)}`);
}
