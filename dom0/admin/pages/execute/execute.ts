// SPDX-License-Identifier: GPL-2.0-or-later
/** Execute: starts an operation that was filled in, or, in elevated mode, a script; follows and ends it. @module */

import { type Admin, askerOf, isElevated, viewOf } from "../../admin_context.ts";
import { Dom0Error, type PreviewOf, type RunChunk } from "../../channel/dom0_channel.ts";
import { shellQuote } from "../../../../shared/protocol/command.ts";
import type { Operation } from "../../../operations/operation.ts";
import { ParameterError } from "../../../operations/parameter.ts";
import { recogniseNamed } from "../../../operations/recognise.ts";
import { OPERATIONS, SHELL } from "../../../operations/table.ts";
import {
  type Answer,
  type AskedBySession,
  HttpError,
  seeOther,
} from "../../server/http_message.ts";
import type { Route } from "../../server/router.ts";
import { executePage, NOTHING_SENT, type Shown } from "./execute_page.ts";
import { labelOf, type Sent } from "./operation_form.ts";
import { createOutputStreams } from "./output_stream.ts";

const MAX_SCRIPT_BYTES = 64 * 1024;

export function executeRoutes(admin: Admin): readonly Route[] {
  const streams = createOutputStreams(admin);
  return [{
    method: "GET",
    path: "/execute",
    access: "session",
    async answer(asked) {
      const values = new Map([...asked.query].filter(([name]) => name !== "operation"));
      const name = asked.query.get("operation") ?? "";
      return await show(admin, asked, name, { ...NOTHING_SENT, values }, null);
    },
  }, {
    method: "POST",
    path: "/execute",
    access: "session",
    maxFormBytes: 4 * MAX_SCRIPT_BYTES,
    answer: (asked) => start(admin, asked),
  }, {
    method: "GET",
    path: "/execute/:id",
    access: "session",
    async answer(asked) {
      const chunk = await admin.channel.readRun(asked.named["id"] ?? "", 0);
      if (chunk === null || chunk.head === null) {
        throw new HttpError(404, "this run is not kept any more; the log has that it ran");
      }
      const { operation, values } = chunk.head;
      const sent = { ...NOTHING_SENT, values: new Map(Object.entries(values)) };
      return await show(admin, asked, operation, sent, chunk);
    },
  }, {
    method: "GET",
    path: "/execute/:id/output",
    access: "session",
    answer: ({ named, query, session }) =>
      streams.answer(named["id"] ?? "", {
        from: Number(query.get("from") ?? "0"),
        tells: query.has("tells"),
      }, session),
  }, {
    method: "POST",
    path: "/execute/:id/cancel",
    access: "session",
    answer: (asked) => cancel(admin, asked),
  }];
}

async function show(
  admin: Admin,
  asked: AskedBySession,
  name: string,
  sent: Sent & Partial<Shown>,
  run: RunChunk | null,
): Promise<Answer> {
  const [view, runs] = await Promise.all([viewOf(admin, asked), admin.channel.runs()]);
  return executePage(view, name, sent, run, runs);
}

async function start(admin: Admin, asked: AskedBySession): Promise<Answer> {
  const name = asked.form.get("operation") ?? "";
  const isPreview = asked.form.get("what") === "preview";
  const filled = name === SHELL ? fillScript(admin, asked) : fillOperation(admin, asked, name);
  const sent: Sent = { ...NOTHING_SENT, values: filled.values };
  const again = (more: Partial<Shown>): Promise<Answer> =>
    show(admin, asked, name, { ...sent, ...more }, null);
  const problems = new Map(filled.problems);
  if (isPreview) problems.delete("sure");
  if (problems.size > 0) return await again({ problems });
  const { channel, qubes } = admin;
  const by = askerOf(asked.session);
  const values = Object.fromEntries(filled.values);
  try {
    if (isPreview) return await again({ preview: await previewOf(admin, name, values) });
    const { id } = name === SHELL
      ? await channel.beginShell(values["script"] ?? "", by)
      : await channel.begin(name, values, by);
    qubes.forget();
    return seeOther(`/execute/${id}`);
  } catch (error) {
    if (!(error instanceof Dom0Error)) throw error;
    return await again({ problems: new Map([["", error.message]]) });
  }
}

async function cancel({ channel }: Admin, { named, session }: AskedBySession): Promise<Answer> {
  const id = named["id"] ?? "";
  try {
    await channel.cancel(id, askerOf(session));
  } catch (error) {
    if (!(error instanceof Dom0Error)) throw error;
    session.notices.push({ kind: "bad", text: error.message });
  }
  return seeOther(`/execute/${encodeURIComponent(id)}`);
}

/** The words that would run, and what dom0 says that they would change. */
async function previewOf(
  { channel }: Admin,
  name: string,
  values: Readonly<Record<string, string>>,
): Promise<PreviewOf> {
  const pairs = Object.entries(values).map(([key, value]) => `${key}=${value}`);
  const runs = recogniseNamed(name, pairs).argvs.map(shellQuote);
  return { runs, ...await channel.preview(name, values) };
}

interface Filled {
  readonly values: ReadonlyMap<string, string>;
  readonly problems: ReadonlyMap<string, string>;
}

function fillOperation(admin: Admin, { form, session }: AskedBySession, name: string): Filled {
  const operation = OPERATIONS.get(name);
  if (operation === undefined) throw new HttpError(400, "there is no such operation");
  const values = new Map<string, string>();
  for (const [key, { optional, schema }] of operation.parameters) {
    const given = form.get(`v-${key}`);
    if (given !== undefined && (given !== "" || (!optional && schema["type"] === "string"))) {
      values.set(key, given);
    }
  }
  const problems = checkValues(operation, values);
  if (operation.destructive && form.get("sure") !== "yes") {
    problems.set("sure", "Tick the box to run it");
  }
  if (operation.level === "full" && !isElevated(session, admin.dateMs())) {
    problems.set("", `${name} is of level full: begin elevated mode first, on the page Sessions`);
  }
  return { values, problems };
}

function fillScript(admin: Admin, { form, session }: AskedBySession): Filled {
  const script = form.get("v-script") ?? "";
  const problems = new Map<string, string>();
  if (!isElevated(session, admin.dateMs())) {
    problems.set(
      "",
      "This session may not run scripts: begin elevated mode first, on the page Sessions",
    );
  } else if (script.trim() === "") problems.set("script", "A script has at least one line");
  else if (new TextEncoder().encode(script).length > MAX_SCRIPT_BYTES) {
    problems.set("script", "A script has at most 64 KiB");
  }
  return { values: new Map([["script", script]]), problems };
}

function checkValues(
  operation: Operation,
  values: ReadonlyMap<string, string>,
): Map<string, string> {
  const problems = new Map<string, string>();
  for (const [key, parameter] of operation.parameters) {
    const value = values.get(key);
    if (value === undefined) {
      if (!parameter.optional && parameter.schema["type"] !== "boolean") {
        problems.set(key, `${labelOf(key)} is needed: ${parameter.summary}`);
      }
      continue;
    }
    try {
      parameter.parse(value);
    } catch (error) {
      if (!(error instanceof ParameterError)) throw error;
      problems.set(key, `${labelOf(key)}: ${error.message}`);
    }
  }
  return problems;
}
