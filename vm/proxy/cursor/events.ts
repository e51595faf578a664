// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What cursor-agent prints with --output-format stream-json, read: one JSON object a line.
 *
 *     {"type":"system","subtype":"init",...}
 *     {"type":"thinking","subtype":"delta","text":"..."}
 *     {"type":"assistant","message":{"content":[{"type":"text","text":"..."}]},"timestamp_ms":1}
 *     {"type":"tool_call","subtype":"started"|"completed",...}      its own tools, run by itself
 *     {"type":"result","is_error":false,"result":"...","usage":{...}}
 *
 * With --stream-partial-output, "assistant" comes as deltas (timestamp_ms, no model_call_id), and
 * again whole: after each part (model_call_id), and all of it at the end (no timestamp_ms).
 *
 * @module
 */

import { parsedObject } from "../translate/json_node.ts";
import { isObject } from "../../settings/shape.ts";
import { NO_USAGE, type StreamEvent } from "../translate/completion.ts";
import { type Fault, fault } from "../translate/fault.ts";
import { cursorFault } from "./failure.ts";
import type { ToolText } from "./tool_text.ts";

export interface CursorEvents {
  /** One line. What is no JSON, or of an unknown type, says nothing. */
  line(untrustedLine: string): StreamEvent[];
  /** The program ended. */
  exit(code: number, untrustedStderr: string): StreamEvent[];
}

export function createCursorEvents(
  model: string,
  thinking: boolean,
  tools: ToolText,
): CursorEvents {
  let all = "";
  let part = "";
  let over = false;
  const say = (text: string): StreamEvent[] => {
    all += text;
    part += text;
    return tools.push(text);
  };
  const assistant = (json: Record<string, unknown>): StreamEvent[] => {
    const text = textOf(json["message"]);
    if (isDelta(json)) return say(text);
    const missed = notSaid(text, part, all);
    part = "";
    return missed === "" ? [] : say(missed);
  };
  const result = (json: Record<string, unknown>): StreamEvent[] => {
    over = true;
    const said = json["result"];
    if (json["is_error"] === true) {
      return [{ kind: "error", fault: cursorFault(String(said ?? "")) }];
    }
    const missed = all === "" && typeof said === "string" ? say(said) : [];
    const rest = [...tools.end(), ...usage(json["usage"])];
    const reason = tools.calls() > 0 ? "tool_use" : "end";
    return [...missed, ...rest, { kind: "stop", reason }, { kind: "end" }];
  };
  return {
    line(untrustedLine) {
      const json = parsedObject(untrustedLine);
      if (over || json === null) return [];
      switch (json["type"]) {
        case "system":
          return [{ kind: "start", id: "cursor", model }];
        case "assistant":
          return assistant(json);
        case "thinking":
          return thinking ? thinkingEvents(json["text"]) : [];
        case "tool_call":
          part = "";
          return [{ kind: "heartbeat" }];
        case "result":
          return result(json);
        default:
          return [];
      }
    },
    exit(code, untrustedStderr) {
      if (over) return [];
      over = true;
      return [{ kind: "error", fault: exitFault(code, untrustedStderr) }];
    },
  };
}

const isDelta = (json: Record<string, unknown>): boolean =>
  json["timestamp_ms"] !== undefined && json["model_call_id"] === undefined;

function thinkingEvents(untrustedText: unknown): StreamEvent[] {
  return typeof untrustedText === "string" && untrustedText !== ""
    ? [{ kind: "thinking", text: untrustedText }]
    : [];
}

/** Of a text that comes whole, what its deltas did not bring. */
function notSaid(text: string, part: string, all: string): string {
  if (text === part || all.endsWith(text)) return "";
  const known = [part, all].find((said) => said !== "" && text.startsWith(said)) ?? "";
  return text.slice(known.length);
}

/** timeout(1) ends it with 124, or 137 where it does not obey. */
function exitFault(code: number, untrustedStderr: string): Fault {
  return code === 124 || code === 137
    ? fault("timeout", "cursor-agent took longer than cursor.timeoutSeconds")
    : cursorFault(untrustedStderr);
}

function textOf(message: unknown): string {
  const content = isObject(message) ? message["content"] : undefined;
  if (!Array.isArray(content)) return "";
  return content.map((part) =>
    isObject(part) && typeof part["text"] === "string" ? part["text"] : ""
  )
    .join("");
}

function usage(untrusted: unknown): StreamEvent[] {
  if (!isObject(untrusted)) return [];
  const count = (name: string): number => {
    const value = untrusted[name];
    return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : 0;
  };
  const cachedTokens = count("cacheReadTokens");
  const cacheWriteTokens = count("cacheWriteTokens");
  return [{
    kind: "usage",
    usage: {
      ...NO_USAGE,
      cachedTokens,
      cacheWriteTokens,
      outputTokens: count("outputTokens"),
      inputTokens: count("inputTokens") + cachedTokens + cacheWriteTokens,
    },
  }];
}
