// SPDX-License-Identifier: GPL-2.0-or-later
/** A user's id in the form that providers accept: short, and no e-mail address or other data. @module */

import process from "node:process";

/** OpenAI's limit of safety_identifier, and the smallest of all. */
const MAX_CHARS = 64;
/** Anthropic's of metadata.user_id, where JSON is what Claude Code itself sends. */
const MAX_ANTHROPIC_CHARS = 256;

const PLAIN = /^[\w.:-]+$/;
const EMAIL_OR_PHONE = /@|^\+?[\d ()-]{7,}$/;

/** For all but Anthropic. The same user keeps the same id, which does not reveal who it is. */
export const fitUserId = (id: string): string =>
  id.length <= MAX_CHARS && PLAIN.test(id) && !EMAIL_OR_PHONE.test(id) ? id : hashed(id);

/** Anthropic asks for no names, addresses or telephone numbers. */
export const fitAnthropicUserId = (id: string): string =>
  id.length <= MAX_ANTHROPIC_CHARS && !EMAIL_OR_PHONE.test(id) ? id : hashed(id);

/** Loaded on first use: WebCrypto is only asynchronous, and node:crypto takes 40 ms to load. */
function hashed(id: string): string {
  const { createHash } = process.getBuiltinModule("node:crypto");
  return `user-${createHash("sha256").update(id).digest("hex").slice(0, 40)}`;
}
