// SPDX-License-Identifier: GPL-2.0-or-later
/** The web admin's first page, and the next one, as a person waits for them. @module */

import { SECURITY_HEADERS } from "../../../dom0/admin/server/security_headers.ts";
import { type Add, summary } from "../measure.ts";
import type { BareChromium } from "./bare_chromium.ts";
import { ORIGIN, type WebServer } from "./web_server.ts";

const ROUNDS = 10;
const MENU_ROUNDS = 5;

/**
 * A browser that runs and has nothing of the page opens a tab at it, and then follows a link. Beside it
 * empty pages of a server that does nothing: a tab, a process and a page are the browser's own time.
 * Our headers ask for a process of the page's own, so one of the empty pages has them, too.
 */
export async function benchFirstPage(
  bare: BareChromium,
  server: WebServer,
  add: Add,
): Promise<void> {
  await using plain = emptyServer({});
  await using guarded = emptyServer({ ...SECURITY_HEADERS, "cache-control": "no-store" });
  const cookie = await server.newCookie();
  const all = { plain: noLooks(), guarded: noLooks(), ours: noLooks() };
  const origins = { plain: originOf(plain), guarded: originOf(guarded), ours: ORIGIN };
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of ["plain", "guarded", "ours"] as const) {
      const of = { address: `${origins[name]}/`, links: ["/approvals"], expression: LOOK };
      const [first, next] = await bare.visit({ ...of, cookie }) as readonly PageLook[];
      if (first === undefined || next === undefined) throw new Error(`nothing seen of ${name}`);
      all[name].first.push(first);
      all[name].next.push(next);
    }
  }
  const p50 = (looks: readonly PageLook[], of: (look: PageLook) => number): number =>
    summary(looks.slice(2).map(of)).p50;
  for (
    const [which, name] of [["first", "first page in a new tab"], [
      "next",
      "the next page",
    ]] as const
  ) {
    const whole = (whose: keyof typeof all): number =>
      p50(all[whose][which], ({ wholeMs }) => wholeMs);
    add({
      name: `${name}, from the click to all of it, p50`,
      value: whole("ours"),
      unit: "ms",
      goal: 100,
      baseline: { name: "an empty page with the same headers", value: whole("guarded") },
    });
    add({ name: "an empty page without them", value: whole("plain"), unit: "ms" });
    add({
      name: "of it until the server has answered, p50",
      value: p50(all.ours[which], ({ answerMs }) => answerMs),
      unit: "ms",
    });
  }
  add({
    name: "all that comes over the wire for the first",
    value: p50(all.ours.first, ({ bytes }) => bytes) / 1024,
    unit: "KB",
    goal: 100,
  });
}

const HTML = { "content-type": "text/html" };

function emptyServer(headers: Readonly<Record<string, string>>): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("<!doctype html><title>empty</title>", { headers: { ...HTML, ...headers } }),
  );
}

function originOf({ addr }: Deno.HttpServer<Deno.NetAddr>): string {
  return `http://127.0.0.1:${addr.port}`;
}

interface PageLook {
  readonly wholeMs: number;
  readonly answerMs: number;
  readonly bytes: number;
}

interface Looks {
  readonly first: PageLook[];
  readonly next: PageLook[];
}

function noLooks(): Looks {
  return { first: [], next: [] };
}

const LOOK = `(() => {
  const [page] = performance.getEntriesByType("navigation");
  const { domContentLoadedEventEnd: wholeMs, requestStart, responseStart } = page;
  // What the page asks for later, to stay true, is no part of it.
  const files = performance.getEntriesByType("resource")
    .filter(({ startTime, initiatorType }) =>
      startTime < wholeMs && !["xmlhttprequest", "fetch"].includes(initiatorType));
  const bytes = [page, ...files].reduce((sum, { transferSize }) => sum + transferSize, 0);
  return { wholeMs, answerMs: responseStart - requestStart, bytes };
})()`;

/** From the menu: a ticket in the address, a login, and the page. */
export async function benchMenu(bare: BareChromium, server: WebServer, add: Add): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round < MENU_ROUNDS; round++) {
    const address = `${ORIGIN}/#ticket=${await server.newTicket()}`;
    const expression =
      `document.getElementById("nav") && performance.timeOrigin + performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd`;
    const startMs = Date.now();
    const [endMs] = await bare.visit({ address, cookie: "", links: [], expression });
    times.push(Number(endMs) - startMs);
  }
  add({ name: "from the menu: tab, login and page, p50", value: summary(times).p50, unit: "ms" });
}
