// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Tools that exist only in the responses API, mapped to functions, and their calls mapped back.
 *
 *     custom        one text instead of arguments: {"input": text}
 *     local_shell   a command to run: {"command": [...], "workdir", "timeout_ms"}
 *     namespace     functions with a name in front: NAMESPACE__NAME
 *
 * OpenAI's server tools (web_search, file_search, image_generation ...) are left out.
 *
 * @module
 */

import type { Tool, ToolForm } from "../conversation.ts";
import { isObject } from "../../../settings/shape.ts";
import {
  asArray,
  asBoolean,
  asOpaqueObject,
  asString,
  field,
  given,
  isAbsent,
  type JsonNode,
  optional,
} from "../json_node.ts";
import type { ItemPrefix } from "../provenance.ts";
import { inputOf, leftOutName, type Say } from "../text_parts.ts";

const NO_PARAMETERS: Readonly<Record<string, unknown>> = { type: "object", properties: {} };

const CUSTOM_SCHEMA = {
  type: "object",
  properties: { input: { type: "string", description: "All of the tool's input, as one text." } },
  required: ["input"],
  additionalProperties: false,
};

const SHELL_SCHEMA = {
  type: "object",
  properties: {
    command: { type: "array", items: { type: "string" }, description: "Program and arguments." },
    workdir: { type: "string", description: "Where to run it." },
    timeout_ms: { type: "number", description: "How long it may take, in milliseconds." },
  },
  required: ["command"],
};

/** Longest name of a function. */
const MAX_NAME_CHARS = 64;

export const namespacedName = (namespace: string, name: string): string =>
  namespace === "" ? name : `${namespace}__${name}`.slice(-MAX_NAME_CHARS);

/** One entry of "tools"; none for what is left out. */
export function readResponsesTool(node: JsonNode, say: Say): Tool[] {
  const type = field(node, "type");
  switch (asString(type)) {
    case "function":
      return [readFunction(node)];
    case "custom":
      return [readCustom(node)];
    case "local_shell":
      return [{
        name: "local_shell",
        description: "Runs a command on the user's machine and gives its output.",
        schema: SHELL_SCHEMA,
        form: { kind: "local_shell", namespace: "", name: "local_shell" },
      }];
    case "namespace":
      return readNamespace(node, say);
    default:
      say(`tool ${leftOutName(type.value)} left out`);
      return [];
  }
}

function readFunction(node: JsonNode): Tool {
  return {
    name: asString(field(node, "name")),
    ...given("description", optional(field(node, "description"), asString)),
    schema: optional(field(node, "parameters"), asOpaqueObject) ?? NO_PARAMETERS,
    ...given("strict", optional(field(node, "strict"), asBoolean)),
  };
}

function readCustom(node: JsonNode): Tool {
  const name = asString(field(node, "name"));
  return {
    name,
    description: customDescription(node),
    schema: CUSTOM_SCHEMA,
    form: { kind: "custom", namespace: "", name },
  };
}

function readNamespace(node: JsonNode, say: Say): Tool[] {
  const namespace = asString(field(node, "name"));
  const tools = field(node, "tools");
  return (isAbsent(tools) ? [] : asArray(tools)).flatMap((inner): Tool[] =>
    readResponsesTool(inner, say).map((tool): Tool => ({
      ...tool,
      name: namespacedName(namespace, tool.name),
      form: { kind: tool.form?.kind ?? "function", namespace, name: tool.name },
    }))
  );
}

/** With its grammar as text: other providers do not enforce one. */
function customDescription(node: JsonNode): string {
  const said = optional(field(node, "description"), asString) ?? "";
  const format = field(node, "format");
  const definition = isObject(format.value) ? field(format, "definition").value : undefined;
  return typeof definition === "string" ? `${said}\n\nThe input's grammar:\n${definition}` : said;
}

export function localShellArguments(action: JsonNode): string {
  const { command, working_directory, timeout_ms } = isObject(action.value) ? action.value : {};
  return JSON.stringify({
    command: command ?? [],
    ...given("workdir", working_directory ?? undefined),
    ...given("timeout_ms", timeout_ms ?? undefined),
  });
}

export interface CallFields {
  readonly id: string;
  readonly status: "in_progress" | "completed";
  readonly callId: string;
  readonly name: string;
  /** JSON text; "" while the call has only begun. */
  readonly arguments: string;
}

export const prefixOf = (form: ToolForm | undefined): ItemPrefix =>
  form?.kind === "custom" ? "ctc" : form?.kind === "local_shell" ? "lsh" : "fc";

/** A call as the kind of item that its tool requires. */
export function callItem(call: CallFields, form: ToolForm | undefined): Record<string, unknown> {
  const { id, status, callId: call_id } = call;
  const name = form?.name ?? call.name;
  const space = form === undefined || form.namespace === "" ? {} : { namespace: form.namespace };
  switch (form?.kind) {
    case "custom": {
      const input = customInput(call);
      return { id, type: "custom_tool_call", status, call_id, ...space, name, input };
    }
    case "local_shell":
      return { id, type: "local_shell_call", status, call_id, action: shellAction(call) };
    default: {
      const { arguments: text } = call;
      return { id, type: "function_call", status, call_id, ...space, name, arguments: text };
    }
  }
}

function shellAction({ arguments: text }: CallFields): Record<string, unknown> {
  const given = inputOf(text);
  const { command, workdir, timeout_ms } = isObject(given) ? given : {};
  return {
    type: "exec",
    command: Array.isArray(command) ? command.map(String) : [],
    env: {},
    working_directory: workdir ?? null,
    timeout_ms: timeout_ms ?? null,
  };
}

/** The input text; the raw arguments if the model did not follow the schema. */
export function customInput({ arguments: text }: Pick<CallFields, "arguments">): string {
  if (text === "") return "";
  const given = inputOf(text);
  const input = isObject(given) ? given["input"] : undefined;
  return typeof input === "string" ? input : text;
}

/** Tools of the request and of its input, where Codex puts them; the last one of a name wins. */
export function readAllTools(tools: JsonNode, input: JsonNode, say: Say): Tool[] {
  const items = Array.isArray(input.value) ? asArray(input) : [];
  const more = items.filter((item) => isObject(item.value) && item.value["type"] === ADDITIONAL)
    .map((item) => field(item, "tools"));
  const all = [tools, ...more].flatMap((list) => isAbsent(list) ? [] : asArray(list));
  const named = new Map(
    all.flatMap((node) => readResponsesTool(node, say)).map((tool) => [tool.name, tool]),
  );
  return [...named.values()];
}

/** An item of the input that brings tools. */
export const ADDITIONAL = "additional_tools";

export type ToolForms = ReadonlyMap<string, ToolForm>;

export const formsOf = (tools: readonly Tool[]): ToolForms =>
  new Map(tools.flatMap(({ name, form }) => form === undefined ? [] : [[name, form]]));
