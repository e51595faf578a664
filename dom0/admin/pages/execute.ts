// SPDX-License-Identifier: GPL-2.0-or-later
/** Execute: runs an operation that was filled in, or, in elevated mode, a script. @module */

import { type Admin, askerOf, isElevated, viewOf } from "../admin_context.ts";
import { Dom0Error, type RunResult } from "../channel/dom0_channel.ts";
import type { Operation } from "../../operations/operation.ts";
import { ParameterError } from "../../operations/parameter.ts";
import { OPERATIONS, SHELL } from "../../operations/table.ts";
import { type AskedBySession, HttpError } from "../server/http_message.ts";
import type { Route } from "../server/router.ts";
import { executePage, labelOf, type Sent } from "./execute_page.ts";

const MAX_SCRIPT_BYTES = 64 * 1024;

export function executeRoutes(admin: Admin): readonly Route[] {
  return [{
    method: "GET",
    path: "/execute",
    access: "session",
    async answer(asked) {
      const values = new Map([...asked.query].filter(([name]) => name !== "operation"));
      return executePage(await viewOf(admin, asked), asked.query.get("operation") ?? "", {
        values,
        problems: new Map(),
        result: null,
      });
    },
  }, {
    method: "POST",
    path: "/execute",
    access: "session",
    maxFormBytes: 4 * MAX_SCRIPT_BYTES,
    async answer(asked) {
      const name = asked.form.get("operation") ?? "";
      const sent = name === SHELL
        ? await runScript(admin, asked)
        : await runOperation(admin, asked, name);
      return executePage(await viewOf(admin, asked), name, sent);
    },
  }];
}

async function runOperation(
  admin: Admin,
  { form, session }: AskedBySession,
  name: string,
): Promise<Sent> {
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
  if (problems.size > 0) return { values, problems, result: null };
  return {
    values,
    ...await outcome(
      () => admin.channel.run(name, Object.fromEntries(values), askerOf(session)),
      admin,
    ),
  };
}

async function runScript(admin: Admin, { form, session }: AskedBySession): Promise<Sent> {
  const script = form.get("v-script") ?? "";
  const values = new Map([["script", script]]);
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
  if (problems.size > 0) return { values, problems, result: null };
  return {
    values,
    ...await outcome(() => admin.channel.runShell(script, askerOf(session)), admin),
  };
}

async function outcome(
  run: () => Promise<RunResult>,
  admin: Admin,
): Promise<Pick<Sent, "problems" | "result">> {
  try {
    const result = await run();
    admin.qubes.forget();
    return { problems: new Map(), result };
  } catch (error) {
    if (!(error instanceof Dom0Error)) throw error;
    return { problems: new Map([["", error.message]]), result: null };
  }
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
