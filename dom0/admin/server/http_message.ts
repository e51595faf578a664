// SPDX-License-Identifier: GPL-2.0-or-later
/** A request as the pages see it, and what they answer. @module */

import { type Html, htmlText } from "../markup/markup.ts";
import type { Session } from "./sessions.ts";

export interface Asked {
  readonly method: string;
  /** As it came, up to the "?". */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  /** What the route's pattern names: /qubes/:vm */
  readonly named: Readonly<Record<string, string>>;
}

/** A request of somebody who is logged in. */
export interface AskedBySession extends Asked {
  readonly session: Session;
  /** The form of a POST; empty for a GET. */
  readonly form: Form;
}

export type Form = ReadonlyMap<string, string>;

/** Events for a browser, until it leaves. */
export type EventStream = (send: (event: string, data: string) => void) => { close(): void };

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string | EventStream;
}

/** A request that gets another answer than its page; the text is for a person. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  constructor(readonly status: number, message: string, readonly allow?: string) {
    super(message);
  }
}

export function htmlAnswer(content: Html, status = 200): Answer {
  return textAnswer(`<!doctype html>\n${htmlText(content)}\n`, "text/html; charset=utf-8", status);
}

export function textAnswer(body: string, type: string, status = 200): Answer {
  return { status, headers: new Headers({ "content-type": type }), body };
}

/** After a change: the browser asks for the page anew, so that a reload repeats nothing. */
export function seeOther(path: string): Answer {
  if (!/^\/(?!\/)/.test(path)) throw new Error("bug: a foreign address");
  return { status: 303, headers: new Headers({ location: path }), body: "" };
}
