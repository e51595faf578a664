// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The README's recipes for clients of "qvm-remote mcp", each typed as it stands there, with the real
 * client: its model lists qubes, asks for changes, waits for the person in dom0, and tells the end.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Finished } from "../e2e/installed.ts";
import { callOfClaude, callOfCodex, REPORT } from "./qubes_agent.ts";
import { type QubesScene, recipeOf, startQubesScene } from "./qubes_scene.ts";

const ASK = "-p 'Give work more memory, then kill it' --model ant";

function good(finished: Finished): Finished {
  assertEquals(finished.code, 0, finished.stdout + finished.stderr);
  return finished;
}

Deno.test("Claude Code: added by the README's lines, it works until a person in dom0 has decided", async () => {
  await using scene = await startQubesScene();
  const [add = "", look = "", start = ""] = (await recipeOf("sh")).split("\n");
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
    `${modelForCodex(scene)}\n${await recipeOf("toml")}`,
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
  await Deno.writeTextFile(`${scene.home}/mcp.json`, await recipeOf("json"));

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
