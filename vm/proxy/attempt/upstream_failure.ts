// SPDX-License-Identifier: GPL-2.0-or-later
/** What is to be learned of an upstream that failed: from its answer, or from getting none. @module */

import { errorText } from "../../../shared/cli/program.ts";
import { UpstreamFailure } from "../exchange.ts";
import { fault, mayRetry, readOpenAiFault } from "../translate/fault.ts";

/** No more of an error's body is read. */
const MAX_ERROR_BYTES = 64 * 1024;
/** The longest wait that an upstream may ask for. */
const MAX_RETRY_AFTER_MS = 3_600_000;

export function emptyAnswer(): UpstreamFailure {
  return new UpstreamFailure(fault("server", "the provider sent an empty answer"), {
    counts: true,
  });
}

export async function failureOf(response: Response): Promise<UpstreamFailure> {
  const { status, headers } = response;
  if (status < 400) {
    await response.body?.cancel();
    return new UpstreamFailure(
      fault(
        "not_found",
        `the provider answers with a redirection (${status}): its baseUrl is wrong`,
      ),
    );
  }
  const found = readOpenAiFault(status, await readSome(response.body));
  const retryAfterMs = readRetryAfter(headers, Date.now());
  // 429 is the target's business: it rests, and the provider's other models are asked as before.
  const counts = found.kind !== "rate_limit" && mayRetry(found);
  return new UpstreamFailure(found, { retryAfterMs, counts });
}

async function readSome(body: ReadableStream<Uint8Array> | null): Promise<string> {
  if (body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > MAX_ERROR_BYTES) break;
    }
  } catch {
    // an error that is cut off says what it says
  }
  return text.slice(0, MAX_ERROR_BYTES);
}

/** retry-after-ms, or Retry-After as seconds or as a date. @returns null if there is none */
export function readRetryAfter(untrusted: Headers, nowMs: number): number | null {
  const ms = untrusted.get("retry-after-ms");
  if (ms !== null && /^\d{1,9}(\.\d+)?$/.test(ms)) return Math.min(Number(ms), MAX_RETRY_AFTER_MS);
  const value = untrusted.get("retry-after");
  if (value === null) return null;
  if (/^\d{1,9}(\.\d+)?$/.test(value)) return Math.min(Number(value) * 1000, MAX_RETRY_AFTER_MS);
  const atMs = Date.parse(value);
  if (Number.isNaN(atMs)) return null;
  return Math.min(Math.max(0, atMs - nowMs), MAX_RETRY_AFTER_MS);
}

export function failureOfError(
  error: unknown,
  gone: AbortSignal,
  isLate: boolean,
): UpstreamFailure {
  if (gone.aborted) return new UpstreamFailure(fault("timeout", "the client left"), { gone: true });
  if (isLate) {
    return new UpstreamFailure(fault("timeout", "the provider did not begin in time"), {
      counts: true,
    });
  }
  if (error instanceof Deno.errors.NotCapable) {
    // The launcher read the hosts from the configuration when it started.
    return new UpstreamFailure(
      fault(
        "not_found",
        "this host was not in the configuration when the proxy started; restart it",
      ),
    );
  }
  return new UpstreamFailure(
    fault("overloaded", `the provider cannot be reached: ${reason(error)}`),
    { counts: true },
  );
}

/** What the runtime says, and what it means. The first that fits counts. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/dns error|failed to lookup|name or service not known/i, "its name cannot be resolved (DNS)"],
  [/certificate/i, "its certificate is not trusted (TLS)"],
  [/tls|handshake|corrupt message|InvalidContentType/i, "it does not speak TLS as it should"],
  [/refused/i, "connection refused"],
  [/timed? ?out/i, "no answer from the network in time"],
  [/unreachable|no route/i, "there is no way to it (network unreachable)"],
  [/reset|closed before|broken pipe|connection closed|incomplete/i, "the connection was cut"],
];

/** Without the URL, which may tell more than the client should know. */
function reason(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? errorText(error.cause) : "";
  const text = `${errorText(error)} ${cause}`;
  return REASONS.find(([words]) => words.test(text))?.[1] ?? "no connection";
}
