// SPDX-License-Identifier: GPL-2.0-or-later
/** How long a request takes whose first upstream fails: OpenClaw itself would take a minute. @module */

import { startProxy } from "../e2e/proxy_world.ts";
import { openConnection, post, type Reply } from "./http_client.ts";
import type { Add } from "./measure.ts";
import type { Way } from "./proxy_ways.ts";

const GOAL_MS = 5000;

/** The first request of a fresh process, then one that passes the failing upstream over. */
export async function benchFailover(double: Way, add: Add): Promise<void> {
  for (const status of [429, 503]) {
    for (const stream of [false, true]) {
      await using proxy = await startProxy({
        providers: Object.fromEntries(["bad", "good"].map((name) => [name, {
          kind: "openai",
          baseUrl: `http://127.0.0.1:${double.port}/v1`,
        }])),
        models: { auto: { try: [`bad/fail-${status}`, "good/stream-3-0"] } },
        breaker: { failures: 3 },
      });
      using connection = await openConnection(Number(new URL(proxy.url).port));
      const body = { model: "auto", stream, messages: [{ role: "user", content: "hi" }] };
      const request = post("/v1/chat/completions", JSON.stringify(body), {});
      const ask = async (): Promise<number> => timeOf(await connection.ask(request), stream);
      const what = `failover from ${status}, ${stream ? "first token" : "whole answer"}`;
      add({ name: `${what}, fresh process`, value: await ask(), unit: "ms", goal: GOAL_MS });
      for (let more = 0; more < 20; more++) await ask();
      add({ name: `${what}, breaker open`, value: await ask(), unit: "ms", goal: GOAL_MS });
    }
  }
}

function timeOf(reply: Reply, stream: boolean): number {
  if (reply.status !== 200) throw new Error(`no failover: ${reply.status}`);
  return stream ? reply.firstMs : reply.wholeMs;
}
