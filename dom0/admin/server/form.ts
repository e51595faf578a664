// SPDX-License-Identifier: GPL-2.0-or-later
/** The body of a POST: one form, each field once. @module */

import { MAX_FORM_FIELDS } from "./limits.ts";
import { type Form, HttpError } from "./http_message.ts";

const TYPE = "application/x-www-form-urlencoded";

/** A form of another type may come from a page of another origin without a question. */
export function requireFormType(contentType: string | null): void {
  const [type = ""] = (contentType ?? "").split(";", 1);
  if (type.trim().toLowerCase() !== TYPE) throw new HttpError(415, `a form is ${TYPE}`);
}

/** @throws {HttpError} 400 if it is not a form, or says something twice */
export function parseForm(untrustedBody: Uint8Array): Form {
  const fields = new Map<string, string>();
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(untrustedBody);
  } catch {
    throw new HttpError(400, "the form is not UTF-8");
  }
  if (text === "") return fields;
  const pairs = text.split("&");
  if (pairs.length > MAX_FORM_FIELDS) throw new HttpError(400, "the form has too many fields");
  for (const pair of pairs) {
    const cut = pair.indexOf("=");
    if (cut < 1) throw new HttpError(400, "the form has a field without a value");
    const name = decodePart(pair.slice(0, cut));
    if (fields.has(name)) throw new HttpError(400, "the form has a field twice");
    fields.set(name, decodePart(pair.slice(cut + 1)).replaceAll("\r\n", "\n"));
  }
  return fields;
}

function decodePart(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw new HttpError(400, "the form is not encoded as one");
  }
}
