// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The one way to make HTML: markup`<p>${text}</p>`. Whatever is put in is text: its markup is
 * escaped, and invisible characters are shown in boxes. Only what this template itself made is inserted
 * as it is, and no other code can make it.
 *
 * @module
 */

import { escape } from "@std/html/entities";
import { visibleParts, visibleText } from "./visible_text.ts";

const made: unique symbol = Symbol("made by markup``");

export interface Html {
  readonly [made]: string;
}

/** What may be put in; false, null and undefined are nothing. */
export type Content = Html | string | number | false | null | undefined | readonly Content[];

/** Where in the template a value stands. */
type Place = "text" | "attribute" | "address" | "bare";

const places = new WeakMap<TemplateStringsArray, readonly Place[]>();

export function markup(template: TemplateStringsArray, ...values: readonly Content[]): Html {
  let known = places.get(template);
  if (known === undefined) places.set(template, known = findPlaces(template));
  let text = template[0] ?? "";
  for (const [index, value] of values.entries()) {
    text += put(value, known[index] ?? "text") + (template[index + 1] ?? "");
  }
  return { [made]: text };
}

/** Text of several lines, as it is written: line ends and tabs stay. */
export function lines(untrustedText: string): Html {
  return { [made]: boxed(untrustedText, "\n\t") };
}

/** A field of several lines. Its text is as it is, for what is sent back must be the same. */
export function textarea(attributes: Html, untrustedText: string): Html {
  // The first line end after the tag is no part of the text.
  return { [made]: `<textarea ${attributes[made]}>\n${escape(untrustedText)}</textarea>` };
}

/** For an attribute that is there or not: markup`<input${when(isOn, markup` checked`)}>`. */
export function when(condition: boolean, content: Html): Html {
  return condition ? content : NOTHING;
}

export const NOTHING: Html = { [made]: "" };

export function htmlText(content: Html): string {
  return content[made];
}

function put(value: Content, place: Place): string {
  if (value === null || value === undefined || value === false) return "";
  if (isMany(value)) return value.map((one) => put(one, place)).join("");
  if (typeof value === "object") {
    const isQuoted = place === "attribute" || place === "address";
    if (isQuoted && value[made] !== "") throw new Error("bug: HTML inside of quotes");
    return value[made];
  }
  if (place === "bare") throw new Error("bug: text in a tag, without quotes");
  const text = String(value);
  if (place === "text") return boxed(text, "");
  // An address of this server, so that no text chooses another one, or "javascript:".
  if (place === "address" && !/^[\/#?](?!\/)/.test(text)) throw new Error("bug: a foreign address");
  return escape(visibleText(text));
}

function isMany(value: Content): value is readonly Content[] {
  return Array.isArray(value);
}

function boxed(untrustedText: string, keep: string): string {
  return visibleParts(untrustedText, keep).map(({ text, isNamed }) =>
    isNamed ? `<span class="ctl">${escape(text)}</span>` : escape(text)
  ).join("");
}

/** Looks at the template alone, once. @throws {Error} a value stands where none can be safe */
function findPlaces(template: TemplateStringsArray): readonly Place[] {
  let before = "";
  return template.slice(0, -1).map((part) => {
    before += part;
    const open = before.lastIndexOf("<");
    // Attributes by themselves, for a tag of another template: markup` data-key="${key}"`.
    const isAttributes = open < 0 && /^\s+[a-z-]+="/.test(before);
    const tag = isAttributes ? before : before.slice(open);
    if (tag.includes(">") || !(isAttributes || tag.startsWith("<"))) {
      if (/<(script|style)\b[^>]*>[^<]*$/i.test(before)) {
        throw new Error("bug: a value in a script");
      }
      return "text";
    }
    const quotes = tag.split('"').length - 1;
    if (quotes % 2 === 1) {
      const name = /([a-z-]+)="[^"]*$/.exec(tag)?.[1] ?? "";
      if (name.startsWith("on") || name === "style") throw new Error(`bug: a value in ${name}`);
      const isStart = tag.endsWith('="');
      return isStart && ["href", "src", "action", "formaction"].includes(name)
        ? "address"
        : "attribute";
    }
    return "bare"; // <input${when(...)}>
  });
}
