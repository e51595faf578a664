// SPDX-License-Identifier: GPL-2.0-or-later
/** Where one call of a tool is worked on: its requests, with the reason and the claim of who asks. @module */

import { utf8 } from "../../shared/protocol/bytes.ts";
import type { Command } from "../../shared/protocol/command.ts";
import { NO_FLAGS, type RequestFlag } from "../../shared/protocol/flags.ts";
import { MAX_TIMEOUT_MS, MAX_WHY_CHARS } from "../../shared/protocol/limits.ts";
import { operationSeconds } from "../../shared/protocol/operation_time.ts";
import { visibleLine } from "../remote/client/visible_text.ts";
import { explainedLines } from "../remote/view/value_lines.ts";
import { checkSize } from "../remote/commands/command_words.ts";
import type { Layout } from "../remote/files/layout.ts";
import type { AccessBook } from "./access_book.ts";
import { askDom0 } from "../remote/client/ask_dom0.ts";
import type { Jobs, Order } from "./jobs.ts";
import { reasonText, visibleValue } from "./output.ts";
import type { Said } from "./said.ts";
import type { Desk } from "./tool.ts";

/** Clients wait a minute, some less. */
const CALL_MS = 25_000;
/** The preview comes with the answer if dom0 has it by then: the answer is promised within 2 s. */
const PREVIEW_MS = 1_500;
const CHECK_MS = 20_000;

export interface DeskOptions {
  readonly layout: Layout;
  readonly jobs: Jobs;
  readonly access: AccessBook;
  /** What goes with each request as the reason. */
  readonly why: string;
  /** Aborted when the client cancels the call or is gone. */
  readonly signal: AbortSignal;
}

export function createDesk({ layout, jobs, access, why, signal }: DeskOptions): Desk {
  const submit = (
    command: Command,
    more: Pick<Order, "form" | "timeoutMs"> & Partial<Pick<Order, "flags" | "data">>,
  ): Promise<Said> => {
    checkSize(command);
    const order: Order = { flags: NO_FLAGS, ...more, command, why };
    return jobs.submit(order, {
      signal,
      waitMs: CALL_MS,
      onParked: () => preview(layout, order),
    });
  };
  return {
    async operation(name, pairs, data) {
      const timeoutMs = await timeoutOf(access, [name]);
      const command = { mode: "op", name, pairs } as const;
      const brings = data === undefined ? {} : { data };
      return await submit(command, { ...brings, form: "value", timeoutMs, flags: JSON_FLAG });
    },
    async output(name, pairs) {
      const timeoutMs = await timeoutOf(access, [name]);
      return await submit({ mode: "op", name, pairs }, { form: "output", timeoutMs });
    },
    script: (text, seconds) =>
      submit({ mode: "script", script: utf8(text) }, {
        form: "output",
        timeoutMs: seconds * 1000,
      }),
    async plan(value) {
      const timeoutMs = await timeoutOf(
        access,
        value.steps.map((step) => String(step["operation"])),
      );
      const command = { mode: "plan", text: JSON.stringify(value) } as const;
      return await submit(command, { form: "plan", timeoutMs });
    },
    async checkPlan(value) {
      const command: Command = { mode: "plan", text: JSON.stringify(value) };
      checkSize(command);
      const question = { command, flags: EXPLAIN, why, waitMs: CHECK_MS };
      return { status: "done", value: visibleValue(await askDom0(layout, question)) };
    },
    access: () => access.read(),
    look: (id, offset, isPlan = false) =>
      jobs.look(id, { offset, form: isPlan ? "plan" : "output" }),
    wait: (id, seconds) => jobs.wait(id, { signal, waitMs: seconds * 1000 }),
    cancel: (id) => jobs.cancel(id, signal),
  };
}

/** One after another. @throws {NoAnswerError} if dom0 was never asked, and is not there */
async function timeoutOf(access: AccessBook, operations: readonly string[]): Promise<number> {
  const known = access.last() ?? await access.read();
  const seconds = operations.map((name) =>
    known.get(name)?.timeoutSeconds ?? operationSeconds(name)
  );
  return Math.min(1000 * seconds.reduce((sum, one) => sum + one, 0), MAX_TIMEOUT_MS);
}

const JSON_FLAG: ReadonlySet<RequestFlag> = new Set(["json"]);

const EXPLAIN: ReadonlySet<RequestFlag> = new Set(["explain"]);

/** What the person is shown, as far as this VM may know it. */
async function preview(
  layout: Layout,
  { command, flags, why }: Order,
): Promise<Pick<Said, "whatThePersonSees" | "expiresAt">> {
  const said = why === null ? "" : `reason     ${visibleLine(why)}\n`;
  const explained = await askDom0(layout, {
    command,
    flags: new Set([...flags, "explain" as const]),
    why,
    waitMs: PREVIEW_MS,
  }).catch(() => null);
  const { expires, ...shown } = (explained ?? {}) as Readonly<Record<string, unknown>>;
  const lines = explainedLines(shown) ?? "";
  const isTime = typeof expires === "string" && /^[0-9TZ:.-]{20,30}$/.test(expires);
  return {
    whatThePersonSees: reasonText(lines + said),
    ...isTime ? { expiresAt: expires } : {},
  };
}

/** "says it is Claude Code 2.1: the reason", in what a reason may hold. */
export function claimOf(client: { name?: unknown; version?: unknown }, reason: string): string {
  const word = (value: unknown): string =>
    typeof value === "string" ? visibleLine(value.toWellFormed()).slice(0, 40).trim() : "";
  const called = `${word(client.name)} ${word(client.version)}`.trim() || "an MCP client";
  const text = visibleLine(reason.toWellFormed()).trim();
  const whole = `says it is ${called}${text === "" ? "" : `: ${text}`}`;
  return [...whole].slice(0, MAX_WHY_CHARS).join("");
}
