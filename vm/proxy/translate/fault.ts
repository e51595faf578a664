// SPDX-License-Identifier: GPL-2.0-or-later
/** What went wrong with a request, read from a provider's error and written for a client. @module */

import { printable } from "../../../shared/protocol/printable.ts";
import { isObject } from "../../settings/shape.ts";
import type { TranslationError } from "./translation_error.ts";

export type FaultKind =
  | "invalid_request"
  | "authentication"
  | "billing"
  | "permission"
  | "not_found"
  | "timeout"
  | "too_large"
  | "context_length"
  | "rate_limit"
  | "server"
  | "overloaded";

export interface Fault {
  readonly kind: FaultKind;
  /** HTTP status to answer with. */
  readonly status: number;
  readonly message: string;
  /** The field that was wrong. */
  readonly param?: string;
  /** OpenAI's machine-readable word. */
  readonly code?: string;
}

/** Longest text of a provider that is shown on. */
const MAX_MESSAGE_CHARS = 500;

/** Kind -> its status, OpenAI's type and code, Anthropic's type. */
const KINDS: Readonly<
  Record<FaultKind, readonly [status: number, type: string, code: string | null, anthropic: string]>
> = {
  invalid_request: [400, "invalid_request_error", null, "invalid_request_error"],
  authentication: [401, "authentication_error", "invalid_api_key", "authentication_error"],
  billing: [402, "insufficient_quota", "insufficient_quota", "billing_error"],
  permission: [403, "permission_error", null, "permission_error"],
  not_found: [404, "invalid_request_error", "model_not_found", "not_found_error"],
  timeout: [504, "server_error", "timeout", "timeout_error"],
  too_large: [413, "invalid_request_error", "request_too_large", "request_too_large"],
  context_length: [
    400,
    "invalid_request_error",
    "context_length_exceeded",
    "invalid_request_error",
  ],
  rate_limit: [429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error"],
  server: [500, "server_error", null, "api_error"],
  overloaded: [503, "server_error", "overloaded", "overloaded_error"],
};

/** A fault of this kind with the status that goes with it. */
export function fault(kind: FaultKind, message: string, param?: string): Fault {
  const made = { kind, status: KINDS[kind][0], message };
  return param === undefined ? made : { ...made, param };
}

export const faultOf = (error: TranslationError): Fault =>
  fault("invalid_request", error.message, error.path);

/** The same for what a provider sent: no client can fix that. */
export const faultOfAnswer = (error: TranslationError): Fault =>
  fault("server", `the provider's answer cannot be read: ${error.message}`);

/** Words by which a provider says that the prompt is too long, whatever its status. */
const TOO_LONG =
  /context[_ ](length|window)|prompt is too long|maximum context|too many (input )?tokens|exceeds? the (available )?context/i;
const OUT_OF_MONEY = /insufficient_quota|credit balance is too low|billing/i;

const BY_TYPE: ReadonlyMap<string, FaultKind> = new Map<string, FaultKind>([
  ["authentication_error", "authentication"],
  ["billing_error", "billing"],
  ["invalid_request_error", "invalid_request"],
  ["not_found_error", "not_found"],
  ["overloaded_error", "overloaded"],
  ["permission_error", "permission"],
  ["rate_limit_error", "rate_limit"],
  ["request_too_large", "too_large"],
  ["timeout_error", "timeout"],
]);

function kindOfStatus(status: number): FaultKind {
  const kinds: Readonly<Record<number, FaultKind>> = {
    401: "authentication",
    402: "billing",
    403: "permission",
    404: "not_found",
    408: "timeout",
    409: "overloaded",
    413: "too_large",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
  };
  return kinds[status] ?? (status >= 400 && status < 500 ? "invalid_request" : "server");
}

interface ErrorFields {
  readonly message: string;
  readonly words: string;
  readonly type: string;
}

const text = (value: unknown): string => typeof value === "string" ? value : "";

/** All the shapes seen: {error:{message,type,code}}, {error:"text"}, {message}, no JSON at all. */
function errorFields(untrusted: unknown): ErrorFields {
  const error = isObject(untrusted) && Object.hasOwn(untrusted, "error")
    ? untrusted["error"]
    : untrusted;
  if (!isObject(error)) return { message: text(error), words: text(error), type: "" };
  const [message, type, code] = [text(error["message"]), text(error["type"]), text(error["code"])];
  return { message, type, words: `${message} ${type} ${code}` };
}

/**
 * @param status of the HTTP answer, or undefined for an error in the middle of a stream
 * @param untrusted the parsed error, or its text if it is no JSON
 */
export function readFault(status: number | undefined, untrusted: unknown): Fault {
  const { message, words, type } = errorFields(untrusted);
  const byStatus = kindOfStatus(status ?? 500);
  let kind = status === undefined ? BY_TYPE.get(type) ?? byStatus : byStatus;
  if (TOO_LONG.test(words) && kind !== "rate_limit") kind = "context_length";
  else if (OUT_OF_MONEY.test(words)) kind = "billing";
  const said = message === "" ? "no reason given" : printable(message, MAX_MESSAGE_CHARS);
  const made = fault(kind, `the provider says ${said}`);
  // The one more status that says no more than "wrong"; the SDKs have a class for it.
  return kind === "invalid_request" && status === 422 ? { ...made, status } : made;
}

function parsed(untrustedBody: string): unknown {
  try {
    return JSON.parse(untrustedBody);
  } catch {
    return untrustedBody;
  }
}

/** OpenAI's errors, and Ollama's {"error":"text"}. */
export const readOpenAiFault = (status: number, untrustedBody: string): Fault =>
  readFault(status, parsed(untrustedBody));

/** {"type":"error","error":{"type","message"}}. */
export const readAnthropicFault = readOpenAiFault; // one reader knows both: the names agree

/** Worth asking another provider, or the same again. */
export function mayRetry({ kind }: Fault): boolean {
  return kind === "rate_limit" || kind === "server" || kind === "overloaded" || kind === "timeout";
}

/**
 * What the client sees of a provider's fault. OpenClaw takes 401, 402 and 403 for a reason to
 * leave the whole proxy alone for minutes, and retries 413 as if it would help.
 */
export function shownToClient(shown: Fault, model: string): Fault {
  const name = printable(model);
  switch (shown.kind) {
    case "authentication":
    case "permission":
      return fault("not_found", `model ${name} is not usable: its provider refuses the key`);
    case "billing":
      return fault("invalid_request", `model ${name} is not usable: its provider wants payment`);
    case "too_large":
      return { ...shown, ...fault("context_length", shown.message) };
    case "rate_limit":
    case "server":
    case "timeout":
    case "overloaded":
      return fault("overloaded", `model ${name} cannot answer now: ${shown.message}`);
    case "invalid_request":
    case "not_found":
    case "context_length":
      return shown;
    default:
      return shown.kind satisfies never;
  }
}

/** {"error":{message,type,param,code}}, with the status that goes with it in `status`. */
export function writeOpenAiFault(written: Fault): Record<string, unknown> {
  const [, type, code] = KINDS[written.kind];
  const { message, param } = written;
  return { error: { message, type, param: param ?? null, code: written.code ?? code } };
}

/** {"type":"error","error":{type,message},"request_id"}. */
export function writeAnthropicFault(written: Fault, requestId: string): Record<string, unknown> {
  const [, , , type] = KINDS[written.kind];
  return { type: "error", error: { type, message: written.message }, request_id: requestId };
}
