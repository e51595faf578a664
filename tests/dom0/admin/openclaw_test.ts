// SPDX-License-Identifier: GPL-2.0-or-later
/** OpenClaw's page and its health on the Dashboard, over an agent VM that answers, lies, or is halted. @module */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { readStatus, readUse } from "../../../dom0/admin/agent/agent_status.ts";
import { after, startScene } from "./admin_scene.ts";

Deno.test("the page shows endpoints, parts, providers, tunnels, use and configuration", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const { text } = await scene.get("/openclaw", login);
  for (
    const shown of [
      /API.*127\.0\.0\.1:32125.*Answers/s,
      /qubes-openclaw-gateway<.*Runs/s,
      /Left alone after failures/,
      /persistent.*41\.2 MB/s,
      /research.*openai\/gpt-6-sol/s,
      /OPENCLAW_VM=claw/,
    ]
  ) assertMatch(text, shown);
});

Deno.test("a part is stopped and started by the page, and nothing but a part", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const { dom0 } = scene;
  const turn = (operation: string, part: string) =>
    after(scene, login, "/openclaw/claw/turn", { operation, part });
  const stopped = await turn("openclaw.stop", "gateway");
  assertMatch(stopped, /The gateway of claw is stopped/);
  assertMatch(stopped, /Gateway.*Does not answer/s);
  assertEquals(dom0.agent?.parts.get("gateway"), "inactive");
  assertMatch(await turn("openclaw.start", "all"), /Every part of claw is started/);
  const run = { operation: "vm.run", part: "all" };
  assertEquals((await scene.post("/openclaw/claw/turn", login, run)).status, 400);
  assertEquals((await scene.post("/openclaw/dom0/turn", login, run)).status, 404);
  assertEquals(dom0.did.filter((one) => one.startsWith("run")), [
    `run openclaw.stop {"vm":"claw","part":"gateway"} by web s-1`,
    `run openclaw.start {"vm":"claw","part":"all"} by web s-1`,
  ]);
});

Deno.test("a halted agent VM is not asked and not started; without one the page says what to do", async () => {
  await using scene = await startScene();
  const { dom0 } = scene;
  const claw = dom0.qubes.get("claw");
  assert(claw !== undefined);
  claw.state = "Halted";
  const login = await scene.login();
  assertMatch((await scene.get("/openclaw", login)).text, /claw.*is halted.*Nothing is asked/s);
  dom0.agent = null;
  assertMatch((await scene.get("/openclaw", login)).text, /sudo setup-dom0 claw/);
});

Deno.test("the Dashboard has the health from the last look, and waits for none", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  await scene.get("/", login); // begins a look
  assertMatch((await scene.get("/", login)).text, /id="agent".*API.*Answers.*Gateway.*Answers/s);
});

Deno.test("what an agent VM says is text, or nothing: no shape of it breaks the page", async () => {
  await using scene = await startScene();
  const login = await scene.login();
  const hostile = "<script>alert(1)</script>\u202e";
  const lies = [
    "",
    "[]",
    "{",
    "null",
    "{}",
    JSON.stringify({ vm: 7, proxy: [], gateway: "x", units: [null, 3, { part: {} }] }),
    JSON.stringify({ proxy: { state: hostile, url: hostile, providers: [{ name: hostile }] } }),
    JSON.stringify({ units: Array.from({ length: 10_000 }, () => ({ part: hostile })) }),
  ];
  for (const lie of lies) {
    assert(scene.dom0.agent !== null);
    scene.dom0.agent.saysInstead = lie;
    const { status, text } = await scene.get("/openclaw", login);
    assertEquals(status, 200, lie.slice(0, 80));
    assert(!text.includes("<script>alert"), lie.slice(0, 80));
    assert(text.length < 200_000, "a long lie is cut");
  }
  assertEquals(scene.warned, []);
  assertEquals(readStatus("{"), null);
  const row = { day: "no", client: {}, requests: "7", tokens: -1, spend: null };
  assertEquals(readUse(JSON.stringify({ rows: [row] }))?.rows, [
    { day: null, client: null, model: null, requests: 0, tokens: -1, spend: 0 },
  ]);
});

Deno.test("the journal of a part is read, in the frame of the qube", async () => {
  await using scene = await startScene();
  const { text } = await scene.get("/openclaw/claw/logs?part=gateway", await scene.login());
  assertMatch(text, /class="says purple".*gateway: a request of claw, 200/s);
});
