// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The server of the web admin: every request passes the same checks in the same order, here. Who
 * asks (guard.ts), what for (router.ts), as whom (sessions.ts), with which form; then the page.
 *
 * @module
 */

import { getCookies } from "@std/http/cookie";
import { errorText } from "../../../shared/cli/program.ts";
import { Dom0Error } from "../channel/dom0_channel.ts";
import { parseForm, requireFormType } from "./form.ts";
import { judgeRequest, type Trust } from "./guard.ts";
import { type Answer, type Asked, HttpError } from "./http_message.ts";
import { MAX_FORM_BYTES, MAX_TARGET_CHARS, type ServerLimits } from "./limits.ts";
import { type Handler, listen, type Listening, type RawRequest } from "./listen.ts";
import { errorPage, loginPage } from "../pages/outside.ts";
import { findRoute, type Route, type SessionRoute } from "./router.ts";
import { guarded } from "./security_headers.ts";
import { COOKIE, FORM_TOKEN, isFormToken, type Session, type Sessions } from "./sessions.ts";

export interface ServerParts {
  readonly port: number;
  readonly limits: ServerLimits;
  readonly routes: readonly Route[];
  readonly sessions: Sessions;
  /** Unexpected errors, for the journal. */
  readonly warn: (line: string) => void;
}

export async function startServer(parts: ServerParts): Promise<Listening> {
  let open = 0;
  let ownHost = "";
  const handler: Handler = async (request) => {
    if (open >= parts.limits.open) return guarded(plain(503, "too much at once; try again"));
    open++;
    try {
      return guarded(await answer(parts, request, ownHost));
    } catch (error) {
      return guarded(failed(parts, request, error));
    } finally {
      open--;
    }
  };
  const listening = await listen(parts.port, parts.limits, handler);
  ownHost = `127.0.0.1:${listening.port}`;
  return listening;
}

async function answer(parts: ServerParts, request: RawRequest, ownHost: string): Promise<Answer> {
  const { method, target, headers, hosts } = request;
  const trust = judgeRequest({
    method,
    hosts,
    origin: headers.get("origin"),
    fetchSite: headers.get("sec-fetch-site"),
    fetchMode: headers.get("sec-fetch-mode"),
    fetchDest: headers.get("sec-fetch-dest"),
  }, ownHost);
  if (!target.startsWith("/") || target.length > MAX_TARGET_CHARS) {
    throw new HttpError(400, "that is not the address of a page");
  }
  const [path = "", ...query] = target.split("?");
  const asked = { method, path, query: new URLSearchParams(query.join("?")), headers };
  const { route, named } = findRoute(parts.routes, method, path);
  if (route.access === "open") {
    return await route.answer({ ...asked, named }, () => request.readBody(MAX_FORM_BYTES));
  }
  const session = sessionOf(parts.sessions, headers, trust);
  if (session === null) {
    if (method === "GET") return loginPage();
    throw new HttpError(401, "no session: open Global Admin from the menu");
  }
  return await answerSession(route, { ...asked, named }, session, request);
}

function sessionOf(sessions: Sessions, headers: Headers, trust: Trust): Session | null {
  return trust === "as its session" ? sessions.find(getCookies(headers)[COOKIE]) : null;
}

async function answerSession(
  route: SessionRoute,
  asked: Asked,
  session: Session,
  request: RawRequest,
): Promise<Answer> {
  if (route.method === "GET") return await route.answer({ ...asked, session, form: new Map() });
  requireFormType(asked.headers.get("content-type"));
  const form = parseForm(await request.readBody(route.maxFormBytes ?? MAX_FORM_BYTES));
  if (!isFormToken(session, form.get(FORM_TOKEN))) {
    throw new HttpError(403, "the form is of another session: reload the page, then try again");
  }
  return await route.answer({ ...asked, session, form });
}

function failed({ warn }: ServerParts, { method, target }: RawRequest, error: unknown): Answer {
  if (error instanceof HttpError) {
    const page = errorPage(error.status, error.message);
    if (error.allow !== undefined) page.headers.set("allow", error.allow);
    return page;
  }
  if (error instanceof Dom0Error) return errorPage(502, error.message);
  warn(`${method} ${target.split("?")[0]}: ${errorText(error)}`);
  return errorPage(500, "this page has a fault; the journal of qubes-global-admin-web has more");
}

function plain(status: number, text: string): Answer {
  return { status, headers: new Headers({ "content-type": "text/plain" }), body: `${text}\n` };
}
