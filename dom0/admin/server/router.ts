// SPDX-License-Identifier: GPL-2.0-or-later
/** Which page answers: a table of methods and paths. @module */

import { type Answer, type Asked, type AskedBySession, HttpError } from "./http_message.ts";

interface RouteBase {
  readonly method: "GET" | "POST";
  /** "/qubes/:vm": a part that begins with ":" is any one part, under that name. */
  readonly path: string;
}

/** For everybody whose browser may ask. */
export interface OpenRoute extends RouteBase {
  readonly access: "open";
  readonly answer: (asked: Asked, readBody: () => Promise<Uint8Array>) => Answer | Promise<Answer>;
}

/** For who is logged in; a POST only with the token of the session's forms. */
export interface SessionRoute extends RouteBase {
  readonly access: "session";
  readonly maxFormBytes?: number;
  readonly answer: (asked: AskedBySession) => Answer | Promise<Answer>;
}

export type Route = OpenRoute | SessionRoute;

export interface Found {
  readonly route: Route;
  readonly named: Readonly<Record<string, string>>;
}

/** @throws {HttpError} 400, 404, or 405 naming the methods that there are */
export function findRoute(routes: readonly Route[], method: string, path: string): Found {
  const parts = path.split("/").map(decodePart);
  const fitting = routes.flatMap((route) => {
    const named = match(route.path.split("/"), parts);
    return named === null ? [] : [{ route, named }];
  });
  if (fitting.length === 0) throw new HttpError(404, "there is no such page");
  const found = fitting.find(({ route }) => route.method === method);
  if (found !== undefined) return found;
  const methods = [...new Set(fitting.map(({ route }) => route.method))].join(", ");
  throw new HttpError(405, `this is asked for by ${methods}`, methods);
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new HttpError(400, "the address is not encoded as one");
  }
}

function match(
  pattern: readonly string[],
  parts: readonly string[],
): Record<string, string> | null {
  if (pattern.length !== parts.length) return null;
  const named: Record<string, string> = {};
  for (const [index, wanted] of pattern.entries()) {
    const part = parts[index] ?? "";
    if (wanted.startsWith(":")) named[wanted.slice(1)] = part;
    else if (wanted !== part) return null;
  }
  return named;
}
