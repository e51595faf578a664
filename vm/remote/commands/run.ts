// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote COMMAND`: runs it, copies its output, ends with its exit code. @module */

import { parseNumber } from "../../../shared/io/options.ts";
import { UsageError, writeAll } from "../../../shared/io/program.ts";
import { encodeCommand, type ProcessCommand } from "../../../shared/protocol/command.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import { utf8 } from "../../../shared/protocol/bytes.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { archiveAnswer } from "../files/archive.ts";
import { audit } from "../files/audit_log.ts";
import { PROGRAM } from "./cli_table.ts";
import { type Given, parseTimeout } from "./cli_words.ts";
import { readCommand } from "./command_words.ts";
import { type Farewell, readConnection } from "../files/connection.ts";
import { createExchange } from "../client/create_exchange.ts";
import { describeEnd } from "../client/end_text.ts";
import { catchInterrupts } from "../client/interrupts.ts";
import { readKey } from "../files/key_file.ts";
import type { Layout } from "../files/layout.ts";
import { attempt, attemptAsync } from "../files/local_failure.ts";
import { outputPort } from "../client/output_port.ts";
import { createProgress } from "../client/progress.ts";
import { createCapture } from "../client/run_json.ts";
import { type RequestEnd, runRequest } from "../client/run_request.ts";
import { shellQuote } from "../../../shared/protocol/command.ts";

export const DEFAULT_TIMEOUT_SECONDS = 300;
/** dom0 counts the timeout from the start of the command; the way there and back comes on top. */
const ANSWER_GRACE_MS = 5_000;
const MAX_LOGGED_CHARS = 100;

export async function runCommand(layout: Layout, given: Given): Promise<number> {
  const timeoutMs = parseTimeout(given, DEFAULT_TIMEOUT_SECONDS);
  const connectMs = parseConnectTimeout(given);
  const protocol = parseProtocol(given.value("protocol"));
  const key = await readKey(layout); // before stdin is read: no key, no waiting
  const command = await readCommand(given);
  const interrupts = catchInterrupts();
  const progress = createProgress(given, timeoutMs);
  const request = { layout, key, command, timeoutMs, connectMs, protocol, interrupts };
  const exchange = await createExchange(request, progress.waitingForName);
  const { id } = exchange;
  const capture = given.has("json") ? createCapture() : null;
  const raw = given.has("raw");
  const [stdout, stderr] = [outputPort(Deno.stdout, raw), outputPort(Deno.stderr, raw)];
  const times = { answerMs: timeoutMs + ANSWER_GRACE_MS, connectMs };
  const end = await runRequest(exchange, times, {
    layout,
    interrupts,
    stdout: capture?.stdout ?? stdout.sink,
    stderr: capture?.stderr ?? stderr.sink,
    onPublished() {
      progress.submitted(id, exchange.signsOutput);
      const shown = printable(commandLine(command), MAX_LOGGED_CHARS);
      audit(layout, `SUBMIT id=${id} size=${encodeCommand(command).length}B cmd=${shown}`);
    },
    onWaiting: (waitedMs) => progress.waiting(id, layout, waitedMs),
  });
  if (end.kind === "answered" && end.cause === null) {
    await attemptAsync(() => Promise.all([stdout.finish(), stderr.finish()]));
  }
  const { exitCode, messages, auditLine } = describeEnd(
    id,
    timeoutMs,
    end,
    await farewellOf(layout, end),
  );
  for (const message of messages) writeAll(Deno.stderr, `${PROGRAM}: ${message}\n`);
  audit(layout, auditLine);
  if (capture !== null) writeAll(Deno.stdout, capture.json(id, end, exitCode, messages));
  if (end.kind === "answered") keepAnswer(layout, id, command);
  return exitCode;
}

/** What the command did stands, whether or not there is room for it in the history. */
function keepAnswer(layout: Layout, id: RequestId, command: ProcessCommand): void {
  const kept = command.mode === "script" ? command.script : utf8(commandLine(command));
  const why = attempt(() => archiveAnswer(layout, id, kept));
  if (why === null) return;
  writeAll(Deno.stderr, `${PROGRAM}: warning: not in the history: ${printable(why, 200)}\n`);
}

/** The command as a person would type it. */
function commandLine(command: ProcessCommand): string {
  if (command.mode === "argv") return shellQuote(command.argv);
  return new TextDecoder().decode(command.script.subarray(0, 2 * MAX_LOGGED_CHARS)).trimEnd();
}

async function farewellOf(layout: Layout, { kind }: RequestEnd): Promise<Farewell | null> {
  if (kind !== "withdrawn") return null;
  const connection = await readConnection(layout);
  return connection.kind === "none" ? connection.farewell : null;
}

/** In ms: dom0 connects in some 100 ms, if it listens at all. */
function parseConnectTimeout(given: Given): number {
  const text = given.value("connect-timeout");
  return 1000 * (text === undefined ? 3 : parseNumber("--connect-timeout", text, 1, 86_400));
}

function parseProtocol(text: string | undefined): 1 | 2 {
  if (text === undefined || text === "2") return 2;
  if (text === "1") return 1;
  throw new UsageError(`--protocol takes 1 or 2, got: ${printable(text)}`);
}
