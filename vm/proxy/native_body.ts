// SPDX-License-Identifier: GPL-2.0-or-later
/** The client's own body for an upstream of the same API: its bytes, unless a field must change. @module */

import type { Target } from "./config.ts";
import type { Exchange } from "./exchange.ts";

export function nativeBody(
  exchange: Pick<Exchange, "api" | "untrustedBody" | "untrustedBytes">,
  target: Target,
): string | Uint8Array<ArrayBuffer> {
  const { untrustedBody: body } = exchange;
  const { provider, model } = target;
  const dropped = provider.drop.filter((name) => Object.hasOwn(body, name));
  // Ollama would answer with a limit of its own choice.
  const renames = provider.kind === "ollama" && exchange.api === "chat" &&
    Object.hasOwn(body, "max_completion_tokens");
  if (body["model"] === model && dropped.length === 0 && !renames) return exchange.untrustedBytes;
  const changed: Record<string, unknown> = { ...body, model };
  for (const name of dropped) delete changed[name];
  if (renames) {
    changed["max_tokens"] ??= changed["max_completion_tokens"];
    delete changed["max_completion_tokens"];
  }
  return JSON.stringify(changed);
}
