// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-connect: its settings, what it asks of the tunnel, and how it waits. */
import { assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../../shared/cli/program.ts";
import { readSettings, type Settings } from "../../../vm/connect/cli.ts";
import { type Endpoint, endpointsOf, probe } from "../../../vm/connect/endpoint.ts";
import { tunnelArguments } from "../../../vm/connect/supervise.ts";
import { waitReady } from "../../../vm/connect/wait_ready.ts";

async function settings(words: readonly string[], files: readonly string[] = []) {
  const found = await readSettings(words, files);
  if (typeof found === "string") throw new Error(found);
  return found;
}

Deno.test("--vm goes before the user's file, that before the system's, that before the policy", async () => {
  const folder = await Deno.makeTempDir();
  const [user, system] = [`${folder}/connect.conf`, `${folder}/openclaw.conf`];
  const vmOf = ({ vm }: Settings): string | null => vm;
  try {
    assertEquals(vmOf(await settings([], [user, system])), null);
    await Deno.writeTextFile(system, "OPENCLAW_VM=agent\nOPENCLAW_PROXY_PORT=8080\n");
    const fromSystem = await settings([], [user, system]);
    assertEquals([fromSystem.vm, Number(fromSystem.proxy?.port)], ["agent", 8080]);
    await Deno.writeTextFile(user, 'OPENCLAW_VM="mine"\n');
    assertEquals(vmOf(await settings([], [user, system])), "mine");
    assertEquals(vmOf(await settings(["--vm", "other"], [user, system])), "other");
    await Deno.writeTextFile(user, "OPENCLAW_VM=a b\n");
    await assertRejects(() => settings([], [user, system]), UserError, "is bad");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("words that do not fit are usage errors", async () => {
  for (
    const words of [["x"], ["--vm=-x"], ["--vm=dom0"], ["--proxy=0"], ["--timeout=0"], ["--x"]]
  ) {
    await assertRejects(() => settings(words), UserError);
  }
  await assertRejects(() => settings(["--proxy=10.0.0.1:80"]), UserError, "not a loopback address");
});

Deno.test("the tunnel gets the VM and both ways; without a VM the policy's default", async () => {
  const named = await settings(["--vm=agent", "--proxy=9000:32125"]);
  assertEquals(tunnelArguments(named), [
    ...["--vm=agent", "--listen=127.0.0.1:9000:32125", "--listen=127.0.0.1:18789:18789"],
  ]);
  assertEquals(tunnelArguments(await settings([]))[0], "--vm=@default");
  const none = await settings(["--proxy=none"]);
  assertEquals(tunnelArguments(none), ["--vm=@default", "--listen=127.0.0.1:18789:18789"]);
  assertEquals(endpointsOf(none).map(({ name }) => name), ["gateway"]);
});

interface Run {
  readonly good: boolean;
  readonly said: readonly string[];
  readonly pausesMs: readonly number[];
}

/** Waits with a clock of its own; the gateway answers at that time. */
async function waiting(gatewayAtMs: number, goOn: boolean, timeoutMs = 5_000): Promise<Run> {
  let nowMs = 0;
  const [said, pausesMs]: [string[], number[]] = [[], []];
  const stop = new AbortController();
  const good = await waitReady({
    endpoints: endpointsOf(await settings([])),
    timeoutMs,
    probe: ({ name }) =>
      Promise.resolve(name === "proxy" || nowMs >= gatewayAtMs ? null : "asleep"),
    nowMs: () => nowMs,
    pause(ms) {
      pausesMs.push(ms);
      nowMs += ms;
      if (nowMs > 2_000_000) stop.abort();
      return Promise.resolve();
    },
    stop: stop.signal,
    say: (line) => said.push(line),
    goOn,
  });
  return { good, said, pausesMs };
}

Deno.test("each endpoint is told once, when it answers", async () => {
  assertEquals(await waiting(0, true), {
    good: true,
    said: ["proxy: http://127.0.0.1:32125/v1", "gateway: http://127.0.0.1:18789/"],
    pausesMs: [],
  });
  const { said } = await waiting(1_000, true);
  assertEquals(said, ["proxy: http://127.0.0.1:32125/v1", "gateway: http://127.0.0.1:18789/"]);
});

Deno.test("when the time is over the reason is told, and --once is over", async () => {
  const { good, said, pausesMs } = await waiting(Infinity, false);
  assertEquals(good, false);
  assertEquals(said.slice(1), [
    "gateway does not answer at http://127.0.0.1:18789/healthz: asleep",
  ]);
  assertEquals(pausesMs.reduce((sum, ms) => sum + ms, 0), 5_000, "not a moment longer");
});

Deno.test("the supervisor goes on, at last every five minutes, and tells of the late one", async () => {
  const { good, said, pausesMs } = await waiting(1_200_000, true);
  assertEquals([good, said.slice(2)], [true, ["still trying", "gateway: http://127.0.0.1:18789/"]]);
  assertEquals(Math.max(...pausesMs), 300_000);
  assertEquals((await waiting(Infinity, true)).good, false, "until it is stopped");
});

Deno.test("a probe says what is missing, and nothing of what a server says", async () => {
  const at = (port: number): Endpoint => ({
    name: "proxy",
    url: "",
    healthUrl: `http://127.0.0.1:${port}/health`,
  });
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    ({ headers }) => new Response("\x1b[2Jsecret", { status: headers.has("x") ? 200 : 503 }),
  );
  assertEquals(await probe(at(server.addr.port)), "it answers with HTTP status 503");
  await server.shutdown();
  // Not the server's own, which the kernel may have given to another test by now.
  assertEquals(await probe(at(1022)), "nothing listens here: no tunnel runs");
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const cut = probe(at(listener.addr.port));
  for (let i = 0; i < 2; i++) { // fetch tries a second time
    const conn = await Promise.race([listener.accept(), cut.then(() => null)]);
    conn?.close();
  }
  listener.close();
  assertEquals(await cut, "the tunnel is there, and nothing answers behind it");
});
