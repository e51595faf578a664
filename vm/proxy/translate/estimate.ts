// SPDX-License-Identifier: GPL-2.0-or-later
/** How long a prompt is, roughly, where no provider counts it (/v1/messages/count_tokens). @module */

import type { Conversation, DocumentPart, Turn } from "./conversation.ts";

/** OpenClaw's first prompt, 60 KB of English and JSON, is about 19 thousand tokens. */
const CHARS_PER_TOKEN = 3.2;
/** What Anthropic counts for one of about a megapixel ("Vision", "Evaluate image size"). */
const IMAGE_TOKENS = 1334;
const TURN_TOKENS = 4;

export function estimateInputTokens({ turns, tools }: Conversation): number {
  const toolChars = JSON.stringify(tools).length;
  const turnTokens = turns.reduce((sum, turn) => sum + tokensOf(turn), 0);
  return Math.ceil(turnTokens + (tools.length === 0 ? 0 : toolChars / CHARS_PER_TOKEN));
}

function tokensOf({ parts }: Turn): number {
  let chars = 0;
  let images = 0;
  for (const part of parts) {
    if (part.kind === "image") images++;
    else if (part.kind === "tool_call") chars += part.name.length + part.arguments.length;
    else if (part.kind === "document") chars += documentChars(part.source);
    else chars += part.kind === "redacted" ? part.data.length : part.text.length;
  }
  return TURN_TOKENS + chars / CHARS_PER_TOKEN + images * IMAGE_TOKENS;
}

/** About a tenth of a PDF is text, measured by its base64. */
function documentChars(source: DocumentPart["source"]): number {
  if (source.kind === "text") return source.text.length;
  return source.kind === "base64" ? source.data.length / 10 : 0;
}
