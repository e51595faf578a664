// SPDX-License-Identifier: GPL-2.0-or-later
/** One question to a server on loopback: what it says, or how it fails to. Never throws. @module */

import { readCapped } from "./capped.ts";

export type HttpAnswer =
  | { readonly kind: "answer"; readonly status: number; readonly untrustedText: string }
  /** Nothing listens. */
  | { readonly kind: "unreachable" }
  /** It was reached, and said nothing in time. */
  | { readonly kind: "silent"; readonly seconds: number }
  /** It hung up: the far end of a tunnel is gone, or the server died. */
  | { readonly kind: "broken" };

export interface Question {
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
}

export type Ask = (url: string, question: Question) => Promise<HttpAnswer>;

/** Of a list of models or the metrics; more of an answer is not read. */
const MAX_ANSWER_BYTES = 1024 * 1024;

export const askHttp: Ask = async (url, { method = "GET", headers = {}, body, timeoutMs }) => {
  const late = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, {
      method,
      redirect: "manual",
      signal: late,
      headers: { ...headers, connection: "close" }, // an idle connection would hold a qrexec call
      ...(body === undefined ? {} : { body }),
    });
    const bytes = response.body === null
      ? new Uint8Array(0)
      : (await readCapped(response.body, MAX_ANSWER_BYTES)).bytes;
    const untrustedText = new TextDecoder().decode(bytes);
    return { kind: "answer", status: response.status, untrustedText };
  } catch (error) {
    if (late.aborted) return { kind: "silent", seconds: timeoutMs / 1000 };
    if (!(error instanceof Error)) throw error;
    if (error instanceof Deno.errors.NotCapable) throw error; // ours: a launcher's mistake
    const all = `${error.message} ${error.cause ?? ""}`;
    return /refused/i.test(all) ? { kind: "unreachable" } : { kind: "broken" };
  }
};

/** The JSON object of an answer; null for anything else. */
export function objectOf(answer: HttpAnswer): Readonly<Record<string, unknown>> | null {
  if (answer.kind !== "answer") return null;
  try {
    const value: unknown = JSON.parse(answer.untrustedText);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? value as Record<string, unknown> : null;
  } catch {
    return null;
  }
}

/** In our own words, without anything from the answer. */
export function answerText(answer: HttpAnswer): string {
  switch (answer.kind) {
    case "answer":
      return `it answers with HTTP status ${answer.status}`;
    case "unreachable":
      return "nothing listens";
    case "silent":
      return `no answer in ${answer.seconds} s`;
    case "broken":
      return "it hangs up without an answer";
    default:
      return answer satisfies never;
  }
}
