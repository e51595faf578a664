// SPDX-License-Identifier: GPL-2.0-or-later
/** The id of a user, as providers take it: short, and no e-mail address or other data. @module */

import process from "node:process";

/** OpenAI's limit of safety_identifier, and the smallest of all. */
const MAX_CHARS = 64;
/** Anthropic's of metadata.user_id, where JSON is what Claude Code itself sends. */
const MAX_ANTHROPIC_CHARS = 256;

const PLAIN = /^[\w.:-]+$/;
const EMAIL_OR_PHONE = /@|^\+?[\d ()-]{7,}$/;

/** For all but Anthropic. The same user keeps the same id; who it is cannot be read from it. */
export const fitUserId = (id: string): string =>
  id.length <= MAX_CHARS && PLAIN.test(id) && !EMAIL_OR_PHONE.test(id) ? id : hashed(id);

/** Anthropic asks for no names, addresses or telephone numbers. */
export const fitAnthropicUserId = (id: string): string =>
  id.length <= MAX_ANTHROPIC_CHARS && !EMAIL_OR_PHONE.test(id) ? id : hashed(id);

/** Loaded where it is needed: WebCrypto hashes only asynchronously, node:crypto takes 40 ms to load. */
function hashed(id: string): string {
  const { createHash } = process.getBuiltinModule("node:crypto");
  return `user-${createHash("sha256").update(id).digest("hex").slice(0, 40)}`;
}
