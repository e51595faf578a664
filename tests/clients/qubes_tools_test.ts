// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The README's recipes for clients of "qvm-remote mcp", each typed as it stands there, with the real
 * client: its model lists qubes, asks for changes, waits for the person in dom0, and tells the end.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Finished } from "../e2e/installed.ts";
import { callOfClaude, callOfCodex, callOfOpenClaw, REPORT } from "./qubes_agent.ts";
import { installOpenClaw } from "./qubes_openclaw.ts";
import { type QubesScene, recipeFor, startQubesScene } from "./qubes_scene.ts";

const ASK = "-p 'Give work more memory, then kill it' --model ant";

function good(finished: Finished): Finished {
  assertEquals(finished.code, 0, finished.stdout + finished.stderr);
  return finished;
}

Deno.test("Claude Code: added by the README's lines, it works until a person in dom0 has decided", async () => {
  await using scene = await startQubesScene();
  const [add = "", look = "", start = ""] = (await recipeFor("Claude Code")).split("\n");
  good(await scene.type(add));
  assertStringIncludes(good(await scene.type(look)).stdout, "✔ Connected");
  const { said, why } = await scene.administer(
    callOfClaude,
    () => scene.type(`${start} ${ASK}`),
  );
  assertEquals(good(said).stdout, `${REPORT}\n`);
  assertStringIncludes(why ?? "", "says it is claude-code 2.");
});

Deno.test("Codex: the same, with the README's lines in its config.toml", async () => {
  await using scene = await startQubesScene();
  await Deno.mkdir(`${scene.home}/.codex`);
  await Deno.writeTextFile(
    `${scene.home}/.codex/config.toml`,
    `${modelForCodex(scene)}\n${await recipeFor("Codex")}`,
  );
  assertStringIncludes(good(await scene.type("codex mcp list")).stdout, "qvm-remote");
  const { said, why } = await scene.administer(
    callOfCodex,
    () => scene.type("codex exec --skip-git-repo-check 'Give work more memory, then kill it'"),
  );
  assertEquals(good(said).stdout, `${REPORT}\n`);
  assertStringIncludes(why ?? "", "says it is codex-mcp-client 0.");
});

const modelForCodex = ({ models }: QubesScene): string =>
  `model = "res"
model_provider = "proxy"
[model_providers.proxy]
name = "proxy"
base_url = "${models.proxy.url}/v1"
env_key = "PROXY_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0`;

Deno.test("any other client: the README's JSON, as Claude Code and the MCP inspector read it", async (t) => {
  await using scene = await startQubesScene();
  await Deno.writeTextFile(`${scene.home}/mcp.json`, await recipeFor(null));

  await t.step("the inspector lists tools that every client can take, and calls one", async () => {
    const inspect = async (words: string) =>
      good(await scene.type(`mcp-inspector --cli --config mcp.json --server qubes ${words}`));
    const listed = await inspect("--method tools/list --strict");
    const { tools } = JSON.parse(listed.stdout);
    assert(tools.length > 15, listed.stdout);
    const called = await inspect("--method tools/call --tool-name vm_list");
    assertStringIncludes(called.stdout, '"work"');
  });

  await t.step("Claude Code works with it, and with nothing else", async () => {
    const words = "--mcp-config mcp.json --strict-mcp-config --allowedTools mcp__qubes";
    const { said } = await scene.administer(
      callOfClaude,
      () => scene.type(`claude ${words} ${ASK}`),
    );
    assertEquals(good(said).stdout, `${REPORT}\n`);
  });
});

Deno.test("OpenClaw: setup-vm adds it by the README's line; it works, and is gone after --undo", async (t) => {
  await using scene = await startQubesScene();
  const claw = await installOpenClaw(scene);
  const setup = (await recipeFor("OpenClaw")).trim();

  await t.step("setup-vm says what it writes, and OpenClaw finds it good", async () => {
    const { stdout } = good(await scene.type(`${setup} ${claw.words}`));
    assertStringIncludes(stdout, 'openclaw.json: {"args":["mcp"],"command":"qvm-remote"}');
    assertStringIncludes(stdout, "openclaw.json is good");
    assertStringIncludes(good(await scene.type(`${claw.program} mcp list`)).stdout, "qubes");
  });

  await t.step("its agent lists, asks, waits and tells", async () => {
    await claw.giveKey();
    const turn = "agent --local --agent main --message 'Give work more memory, then kill it'";
    const { said, why } = await scene.administer(
      callOfOpenClaw,
      () => scene.type(`${claw.program} ${turn}`),
    );
    assertStringIncludes(good(said).stdout, REPORT);
    assertStringIncludes(why ?? "", "says it is openclaw");
  });

  await t.step("--undo takes it back, and leaves the rest of openclaw.json", async () => {
    const before = JSON.parse(await Deno.readTextFile(claw.config));
    good(await scene.type("setup-vm --undo"));
    const after = JSON.parse(await Deno.readTextFile(claw.config));
    assertEquals(after.mcp.servers, {});
    before.mcp.servers = {};
    assertEquals(after, before);
  });
});
