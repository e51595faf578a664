// SPDX-License-Identifier: GPL-2.0-or-later
/** The real OpenClaw, one turn without its gateway: its tool is called, and the result is told. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { freePort, openClawHome } from "../openclaw/real_openclaw.ts";
import {
  KEY,
  MARK,
  type Pick,
  routeOf,
  type Scene,
  startScene,
  type Via,
  VIAS,
} from "./clients_scene.ts";

/** OpenClaw's names of the APIs that it speaks. */
type Api = "openai-completions" | "openai-responses" | "anthropic-messages";

const callsExec: Pick = (tools) =>
  tools.includes("exec")
    ? { id: "call_x1", name: "exec", arguments: { command: `echo ${MARK}` } }
    : null;

async function turn(scene: Scene, api: Api, model: string): Promise<void> {
  await using place = await openClawHome({
    template: "auto",
    proxyPort: Number(new URL(scene.proxy.url).port),
    gatewayPort: freePort(),
    change(config) {
      const { providers } = config["models"] as { providers: Record<string, OpenClawProvider> };
      const one = providers["proxy"];
      if (one === undefined) throw new Error("the template has no proxy");
      const baseUrl = api === "anthropic-messages" ? scene.proxy.url : one.baseUrl;
      const models = one.models.map((entry) => ({ ...entry, id: model, reasoning: true }));
      providers["proxy"] = { ...one, api, apiKey: KEY, baseUrl, models };
      const { defaults } = config["agents"] as { defaults: Record<string, unknown> };
      defaults["model"] = { primary: `proxy/${model}` };
      defaults["heartbeat"] = { every: "0m" };
    },
  });
  const words = ["agent", "--local", "--agent", "main", "--message", "use your tool"];
  const { code, stdout, stderr } = await place.run(...words);
  assertEquals(code, 0, stderr);
  assertStringIncludes(stdout, `The tool says ${MARK}`);
}

interface OpenClawProvider {
  readonly baseUrl: string;
  readonly models: readonly Record<string, unknown>[];
  readonly [name: string]: unknown;
}

Deno.test("OpenClaw: a turn with a tool, streamed", async (t) => {
  await using scene = await startScene();
  for (const via of VIAS) {
    await t.step(via, async () => {
      scene.plays({ pick: callsExec });
      await turn(scene, "openai-completions", via);
      assertEquals(scene.answered(), [via, via]);
    });
  }
});

const SWITCHES: readonly (readonly [Api, Via, Via])[] = [
  ["openai-completions", "gpt", "ant"],
  ["openai-responses", "res", "ant"],
  ["openai-responses", "res", "oll"],
  ["anthropic-messages", "ant", "oll"],
];

Deno.test("OpenClaw: a turn that one provider begins, another goes on with, and the first ends", async (t) => {
  await using scene = await startScene();
  for (const [api, a, b] of SWITCHES) {
    await t.step(`${api}: ${a}, ${b}, ${a}`, async () => {
      scene.plays({ pick: callsExec, times: 2, turns: [a, b] });
      await turn(scene, api, routeOf(a, b));
      assertEquals(scene.answered(), [a, b, a]);
    });
  }
});
