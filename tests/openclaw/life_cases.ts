// SPDX-License-Identifier: GPL-2.0-or-later
/** The gateway as a service: audit, restarts of the proxy, memory, webhooks, tunnel. @module */

import { delay } from "@std/async/delay";
import { assert, assertEquals } from "@std/assert";
import { tunnelWorld } from "../e2e/tunnel_world.ts";
import { usesTool } from "./agent_upstream.ts";
import { type Case, MODELS, say } from "./claw_scene.ts";
import { openSocket } from "./gateway_socket.ts";
import { limitMemory, type MemoryLimit, mib, residentBytes } from "./memory_limit.ts";

/** What the gateway's unit allows it. */
const MEMORY_BYTES = 3 * 1024 ** 3;
export const limit: MemoryLimit | null = limitMemory(MEMORY_BYTES);

const cases: Case[] = [];
export const LIFE_CASES: readonly Case[] = cases;

function add(name: string, run: Case["run"]): void {
  cases.push({ name, run });
}

add("C1 its security audit finds nothing critical", async ({ place }) => {
  const { stdout } = await place.run("security", "audit", "--json");
  const { summary, findings } = JSON.parse(stdout);
  assertEquals(summary.critical, 0, stdout);
  const warnings = findings.filter((one: { severity: string }) => one.severity === "warn");
  // Nothing stands in front of the gateway but a tunnel of plain bytes.
  assertEquals(warnings.map((one: { checkId: string }) => one.checkId), [
    "gateway.trusted_proxies_missing",
  ]);
});

add(
  "C8 the proxy restarts between turns, and is away for 20 s in one: both are answered",
  async (scene) => {
    assertEquals(await say(scene, MODELS.chat), "from anthropic");
    await scene.stopProxy();
    await scene.startProxy();
    assertEquals(await say(scene, MODELS.chat), "from anthropic");
    await scene.stopProxy();
    const began = performance.now();
    const answer = say(scene, MODELS.messages);
    await delay(20_000);
    await scene.startProxy();
    assertEquals(await answer, "from anthropic");
    console.log(`answered ${Math.round(performance.now() - began)} ms after it was asked`);
  },
);

add("C9 it survives 20 turns with tools, each in a session of its own", async (scene) => {
  for (let turn = 0; turn < 20; turn++) {
    scene.anthropic.script = [usesTool()];
    assertEquals(await say(scene, MODELS.messages), "the tool says 42");
  }
  const { now, peak } = residentBytes(scene.gateway.processes());
  console.log(
    `resident ${mib(now)} MiB, at most ${mib(peak)} MiB` +
      (limit === null
        ? "; no limit could be set"
        : `; peak of its cgroup ${mib(limit.peakBytes())} MiB`),
  );
  assertEquals(limit?.kills() ?? 0, 0);
  assert(now < MEMORY_BYTES);
});

add(
  "C9 through a tunnel: /readyz answers, its token opens, a wrong one is closed with 1008",
  async ({ gateway, place }) => {
    const tunnels = await tunnelWorld();
    try {
      tunnels.offer(place.gatewayPort, "both");
      const { port } = await tunnels.tunnel(place.gatewayPort, "VM");
      const url = `http://127.0.0.1:${port}`;
      assertEquals((await (await fetch(`${url}/readyz`)).json()).ready, true);
      const good = await openSocket(url, place.gatewayToken);
      assertEquals(good.hello.ok, true);
      assertEquals((await good.request("health", {})).ok, true);
      await good[Symbol.asyncDispose]();
      const bad = await openSocket(url, "wrong");
      assertEquals([bad.hello.ok, (await bad.closed).code], [false, 1008]);
      assertEquals((await (await fetch(`${gateway.url}/healthz`)).json()).ok, true);
    } finally {
      await tunnels[Symbol.asyncDispose]();
    }
  },
);

add(
  "C10 a webhook wakes the agent with the token of the template, and with no other",
  async ({ gateway, place }) => {
    const wake = async (token: string): Promise<number> => {
      const answer = await fetch(`${gateway.url}/hooks/wake`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ text: "hello from outside" }),
      });
      await answer.body?.cancel();
      return answer.status;
    };
    assertEquals(await wake(place.hooksToken), 200);
    assertEquals(await wake(place.gatewayToken), 401);
    assertEquals(await wake("wrong"), 401);
  },
);

add(
  "C11 no provider's key is anywhere in the agent's home, and its log names no token",
  async ({ gateway, place }) => {
    const secrets = [["sk-anthropic-1"], ["sk-openai-1"]];
    for (const words of [...secrets, [place.gatewayToken, "--exclude=gateway-token"]]) {
      const [secret = "", ...more] = words;
      const { code, stdout } = await new Deno.Command("grep", {
        args: ["-rlaF", ...more, "--", secret, place.home],
      }).output();
      assertEquals([code, new TextDecoder().decode(stdout)], [1, ""]);
      assert(!gateway.output().includes(secret));
    }
  },
);
