// SPDX-License-Identifier: GPL-2.0-or-later
/** The real proxy and its clients that are other VMs: each through the socket of its own. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { isPresent } from "../../shared/io/sync_files.ts";
import { until } from "../until.ts";
import { DatabaseSync } from "node:sqlite"; // as the proxy itself keeps its books
import { type ProxyWorld, startProxy } from "./proxy_world.ts";
import { says, startUpstream } from "./proxy_upstream.ts";

const KEY = "sk-upstream-1234567890";
const SECRETS = `A_KEY=${KEY}\nINNER=key-inner\nLOCAL=key-local\n`;

function configFor(url: string, clients: unknown): Record<string, unknown> {
  return {
    providers: { a: { kind: "openai", baseUrl: `${url}/v1`, apiKey: { env: "A_KEY" } } },
    prices: { "a/m": { input: 2, output: 10 } },
    clients,
  };
}

interface Answered {
  readonly status: number;
  readonly text: string;
}

/** As a program of that VM would ask, behind the tunnel. @returns null: there is no way in */
async function through(
  proxy: ProxyWorld,
  vm: string,
  path = "/v1/chat/completions",
  headers: Record<string, string> = {},
): Promise<Answered | null> {
  const socket = `${proxy.home}/.openclaw/vm-sockets/${vm}.sock`;
  using client = Deno.createHttpClient({ proxy: { transport: "unix", path: socket } });
  const body = JSON.stringify({ model: "a/m", messages: [{ role: "user", content: "hi" }] });
  try {
    const isPost = path.includes("completions");
    const answer = await fetch(`http://127.0.0.1:32125${path}`, {
      ...{ client, headers: { "content-type": "application/json", ...headers } },
      ...isPost ? { method: "POST", body } : {},
    });
    return { status: answer.status, text: await answer.text() };
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

const statusOf = async (asking: Promise<Answered | null>) => (await asking)?.status ?? null;

Deno.test("a VM is known by its socket: limits, books, log and metrics are its own", async () => {
  const a = startUpstream(says("hello"));
  await using proxy = await startProxy(
    configFor(a.url, {
      first: { vm: "claw", limits: { requestsPerMinute: 2 } },
      second: { vm: "other", limits: { spendPerDay: 1 } },
      inner: { vm: "other", key: { env: "INNER" } },
      local: { key: { env: "LOCAL" } },
    }),
    { secrets: SECRETS },
  );
  const folder = `${proxy.home}/.openclaw/vm-sockets`;
  await until("the last socket is there", () => isPresent(`${folder}/other.sock`));
  assertEquals((Deno.statSync(folder).mode ?? 0) & 0o777, 0o700);
  for (const name of ["claw.sock", "other.sock"]) {
    const { mode, isSocket } = Deno.lstatSync(`${folder}/${name}`);
    assertEquals([(mode ?? 0) & 0o777, isSocket], [0o600, true]);
  }
  assertEquals([...Deno.readDirSync(folder)].length, 2);

  assertEquals(await statusOf(through(proxy, "claw")), 200);
  assertEquals(a.seen[0]?.headers.get("authorization"), `Bearer ${KEY}`);
  // No header makes it another VM, and no key another client.
  const lies = { "x-vm": "other", "qrexec-remote-domain": "other", forwarded: "for=other" };
  assertEquals(await statusOf(through(proxy, "claw", undefined, lies)), 200);
  const local = { authorization: "Bearer key-local" };
  assertEquals(await statusOf(through(proxy, "claw", undefined, local)), 429);
  assertEquals(await statusOf(through(proxy, "other")), 200, "another VM has limits of its own");
  const inner = { authorization: "Bearer key-inner" };
  assertEquals(await statusOf(through(proxy, "other", undefined, inner)), 200);
  assertEquals(await through(proxy, "stranger"), null);
  assertEquals((await proxy.chat({ model: "a/m" })).status, 401, "the port asks for a key");

  await proxy.logged((line) => line.includes('"client":"inner"') && line.includes('"end"'));
  const book = new DatabaseSync(`${proxy.home}/.openclaw/proxy-use.sqlite`, { readOnly: true });
  const rows = (): unknown[] =>
    book.prepare("SELECT client, requests, tokens FROM use ORDER BY client").all()
      .map((row) => Object.values(row));
  await until("all three are written, a little later", () => rows().length === 3);
  assertEquals(rows(), [["vm:claw", 2, 2200], ["vm:other", 1, 1100], ["vm:other:inner", 1, 1100]]);
  book.close();
  const log = proxy.output();
  assertStringIncludes(log, '"client":"first","vm":"claw"');
  assert(!log.includes(KEY) && !log.includes("key-inner") && !log.includes("key-local"));

  const metrics = await (await fetch(`${proxy.url}/metrics`)).text();
  for (
    const line of [
      'client_requests_total{client="first",vm="claw",status="200"} 2',
      'client_requests_total{client="first",vm="claw",status="429"} 1',
      'client_tokens_total{client="second",vm="other"} 1100',
      'client_spend_dollars_total{client="second",vm="other"} 0.003',
    ]
  ) assertStringIncludes(metrics, `openclaw_proxy_${line}\n`);
  assertEquals(await statusOf(through(proxy, "claw", "/metrics")), 404, "what others use");
  assertEquals(await statusOf(through(proxy, "claw", "/health")), 200);
  await a.close();
});

Deno.test("a VM that is taken out has no way in any more, and one that is put in asks for a restart", async () => {
  const a = startUpstream(says("hello"));
  await using proxy = await startProxy(
    configFor(a.url, { first: { vm: "claw" }, second: { vm: "other" } }),
    { secrets: SECRETS },
  );
  assertEquals(await statusOf(through(proxy, "other")), 200);
  await proxy.writeConfig(configFor(a.url, { first: { vm: "claw" }, third: { vm: "new" } }));
  const line = await proxy.logged((one) => one.includes("is not let in"));
  assertStringIncludes(line, '"vm":"new","text":"restart the proxy');
  assertEquals(await through(proxy, "other"), null);
  assertEquals(await through(proxy, "new"), null);
  assertEquals(await statusOf(through(proxy, "claw")), 200);
  await a.close();
});

Deno.test("a proxy that was killed leaves sockets that the next one takes over", async () => {
  const a = startUpstream(says("hello"));
  const home = await Deno.makeTempDir();
  const folder = `${home}/vm-sockets`;
  await Deno.mkdir(folder, { mode: 0o755 });
  const listen = `Deno.listen({ transport: "unix", path: "${folder}/claw.sock" })`;
  const script = `${listen}; Deno.kill(Deno.pid, "SIGKILL")`;
  await new Deno.Command(Deno.execPath(), { args: ["eval", script] }).output();
  assert(Deno.lstatSync(`${folder}/claw.sock`).isSocket);
  await using proxy = await startProxy(
    configFor(a.url, { first: { vm: "claw" } }),
    { secrets: SECRETS, sockets: folder },
  );
  const answers = () => statusOf(through(proxy, "claw")).catch(() => 0);
  await until("it answers there", async () => await answers() === 200);
  assertEquals((Deno.statSync(`${proxy.home}/.openclaw/vm-sockets`).mode ?? 0) & 0o777, 0o700);
  await a.close();
  await Deno.remove(home);
});
