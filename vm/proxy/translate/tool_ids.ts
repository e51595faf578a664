// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Ids of tool calls. Providers and clients differ in what they allow, and OpenClaw strips everything
 * but letters and digits; so ids are rewritten, different ids stay different, and each result still
 * matches its call.
 *
 * @module
 */

import { TranslationError } from "./translation_error.ts";
import { printable } from "../../../shared/protocol/printable.ts";

/** Ids for one request: each call is named before its result. */
export interface ToolIds {
  /** A new call. Anthropic rejects duplicate ids, but OpenClaw starts again from call1. */
  call(id: string): string;
  /** @throws {TranslationError} if no call of this id came before */
  result(id: string, path: string): string;
}

/** Anthropic: ^[a-zA-Z0-9_-]+$. */
export function createToolIds(): ToolIds {
  const latest = new Map<string, string>();
  const fresh = createFreshIds(/[^A-Za-z0-9_-]/g);
  return {
    call(id) {
      const made = fresh(id);
      latest.set(id, made);
      return made;
    },
    result(id, path) {
      const made = latest.get(id);
      if (made !== undefined) return made;
      const problem = `answers no tool call before it: ${printable(id, 40)}`;
      throw new TranslationError(path, problem, "send the assistant's tool call, too");
    },
  };
}

/** Ids for one answer to OpenClaw: letters and digits only. */
export const createAnswerIds = (): (id: string) => string => createFreshIds(/[^A-Za-z0-9]/g);

function createFreshIds(unfit: RegExp): (id: string) => string {
  const used = new Set<string>();
  return (id) => {
    const fit = id.replace(unfit, "") || "call";
    let made = fit;
    for (let n = 2; used.has(made); n++) made = `${fit}x${n}`;
    used.add(made);
    return made;
  };
}

/** OpenAI's limit; the ids that OpenClaw invents for Ollama are longer. */
const MAX_CHAT_ID_CHARS = 40;

/** The same id for the same call, short enough for chat completions. */
export function createShortIds(maxChars = MAX_CHAT_ID_CHARS): (id: string) => string {
  const made = new Map<string, string>();
  return (id) => {
    if (id.length <= maxChars) return id;
    const short = made.get(id) ?? `shortened${made.size}`;
    made.set(id, short);
    return short;
  };
}

/** The same id for the same call, as Mistral wants it: nine letters and digits. */
export function createPatternIds(fits: RegExp): (id: string) => string {
  const made = new Map<string, string>();
  return (id) => {
    if (fits.test(id)) return id;
    const known = made.get(id) ?? `call${String(made.size).padStart(5, "0")}`;
    made.set(id, known);
    return known;
  };
}
