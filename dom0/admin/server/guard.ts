// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Who may ask at all. Loopback is not authentication: every page in a browser of dom0 reaches this
 * port, every account of the machine does, and servers on other ports of 127.0.0.1, which may be
 * a VM's, are even "same site" and get the cookie. So a request counts only if the browser says
 * that this very origin made it, or the person did (Fetch Metadata, W3C; RFC 6454 for Origin).
 *
 * @module
 */

import { HttpError } from "./http_message.ts";

export interface RequestFacts {
  readonly method: string;
  /** Each Host line of the request. */
  readonly hosts: readonly string[];
  readonly origin: string | null;
  readonly fetchSite: string | null;
  readonly fetchMode: string | null;
  readonly fetchDest: string | null;
}

/** What the request may get: what is for everybody, or what a session may have. */
export type Trust = "login page only" | "as its session";

/** Each is a page's frame, or a thing inside of one. */
const FRAMES = new Set(["iframe", "frame", "embed", "object", "fencedframe"]);

/**
 * All checks must hold; the first that does not is the answer.
 *
 * @param ownHost "127.0.0.1:9876"
 * @throws {HttpError} 400, 403, 421
 */
export function judgeRequest(facts: RequestFacts, ownHost: string): Trust {
  const { method, hosts, origin, fetchSite, fetchMode, fetchDest } = facts;
  if (hosts.length !== 1) throw new HttpError(400, "a request has one Host");
  // Another name that resolves to here belongs to another origin: DNS rebinding.
  if (hosts[0] !== ownHost) throw new HttpError(421, `this is ${ownHost}, and nothing else`);
  if (origin !== null && origin !== `http://${ownHost}`) {
    throw new HttpError(403, "another origin may not ask here");
  }
  if (fetchDest !== null && FRAMES.has(fetchDest)) {
    throw new HttpError(403, "this is not shown inside of another page");
  }
  if (fetchSite === "same-origin") return "as its session";
  const isVisit = method === "GET" && fetchMode === "navigate" && fetchDest === "document";
  // The address bar, a bookmark, the menu: nobody's page.
  if (fetchSite === "none" && isVisit) return "as its session";
  // A link of another page, or the file that the menu opens.
  if (isVisit) return "login page only";
  throw new HttpError(403, "the browser does not say that this page asks");
}
