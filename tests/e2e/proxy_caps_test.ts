// SPDX-License-Identifier: GPL-2.0-or-later
/** Caps on money, for each client's key: they refuse, and outlast the process, even one killed. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite"; // as the proxy itself keeps its books
import { until } from "../until.ts";
import { says, startUpstream } from "./proxy_upstream.ts";
import { type ProxyWorld, startProxy } from "./proxy_world.ts";

const BOOKS = ["proxy-use.sqlite", "proxy-use.sqlite-wal"];
const SECRETS = "DAY=key-day\nMONTH=key-month\nOTHER=key-other\n";

function configOf(url: string) {
  const client = (env: string, limits: Record<string, number>) => ({ key: { env }, limits });
  return {
    providers: { up: { kind: "openai", baseUrl: `${url}/v1` } },
    prices: { "up/m": { input: 2, output: 10 } }, // each answer costs 0.003 dollars
    clients: {
      day: client("DAY", { spendPerDay: 0.004 }),
      month: client("MONTH", { spendPerMonth: 0.004 }),
      other: client("OTHER", { spendPerDay: 100, spendPerMonth: 100 }),
    },
  };
}

async function ask(proxy: ProxyWorld, key: string): Promise<{ status: number; error: string }> {
  const headers = { authorization: `Bearer ${key}` };
  const answer = await proxy.chat({ model: "up/m", max_tokens: 1 }, { headers });
  const { error } = await answer.json();
  return {
    status: answer.status,
    error: error === undefined ? "" : `${error.code} ${error.message}`,
  };
}

/** Requests in its books. */
function written(proxy: ProxyWorld): number {
  using book = new DatabaseSync(`${proxy.home}/.openclaw/proxy-use.sqlite`, { readOnly: true });
  return Number(Object.values(book.prepare("SELECT sum(requests) FROM use").get() ?? {})[0]);
}

async function assertCapped(proxy: ProxyWorld): Promise<void> {
  for (const [key, cap] of [["key-day", "a day"], ["key-month", "a month"]] as const) {
    const { status, error } = await ask(proxy, key);
    // 429 or 402 would make OpenClaw wait or leave the provider alone; after 400 it goes on.
    assertEquals(status, 400, error);
    assertStringIncludes(error, "proxy_limit");
    assertStringIncludes(error, `0.004 US dollars ${cap}`);
  }
  assertEquals((await ask(proxy, "key-other")).status, 200);
}

Deno.test("a cap refuses with 400, for its client only, and still does after a restart from what a kill leaves", async () => {
  const upstream = startUpstream(says("dear"));
  const folder = await Deno.makeTempDir();
  const config = configOf(upstream.url);
  const save = async (home: string): Promise<void> => {
    for (const name of BOOKS) {
      await Deno.copyFile(`${home}/.openclaw/${name}`, `${folder}/${name}`).catch(() => {});
    }
  };
  const prepare = async (into: string): Promise<void> => {
    for (const name of BOOKS) {
      await Deno.copyFile(`${folder}/${name}`, `${into}/${name}`).catch(() => {});
    }
  };
  {
    await using proxy = await startProxy(config, { secrets: SECRETS });
    for (const key of ["key-day", "key-month"]) {
      assertEquals([(await ask(proxy, key)).status, (await ask(proxy, key)).status], [200, 200]);
    }
    await assertCapped(proxy);
    await until("all that was answered is written", () => written(proxy) === 5);
    await save(proxy.home); // as they are on the disk now: what a kill would leave
  }
  {
    await using proxy = await startProxy(config, { secrets: SECRETS, prepare });
    const before = upstream.seen.length;
    await assertCapped(proxy);
    assert(upstream.seen.length === before + 1, "a capped request reached the provider");
  }
  await upstream.close();
  await Deno.remove(folder, { recursive: true });
});
