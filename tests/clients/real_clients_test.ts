// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The clients as their users have them, out of the box: a whole turn with a tool, streamed, with
 * an OpenAI (by chat completions and by responses), an Anthropic and an Ollama behind the proxy.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Called } from "../e2e/double_said.ts";
import {
  CLIENTS,
  CODEX_MODELS,
  KEY,
  MARK,
  NODE,
  PAIRS,
  type Pick,
  type Ran,
  routeOf,
  run,
  type Scene,
  startScene,
  VIAS,
} from "./clients_scene.ts";

const ANSWER = `The tool says ${MARK}`;
const WEATHER: Called = { id: "call_w1", name: "weather", arguments: { city: "Kraków" } };

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "client-" });
  try {
    return await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What the program printed as JSON. @throws with what it complained of if it failed */
function printed({ code, stdout, stderr }: Ran): Record<string, unknown> {
  assertEquals(code, 0, stderr);
  return JSON.parse(stdout);
}

const PROGRAMS: readonly (readonly [name: string, file: string, env: Record<string, string>])[] = [
  ["OpenAI's SDK, chat completions", "openai_chat", {}],
  ["OpenAI's SDK, responses", "openai_responses", {}],
  ["OpenAI's SDK with previous_response_id", "openai_previous", {}],
  ["Anthropic's SDK", "anthropic", {}],
  ["the ai SDK's provider for OpenAI, by default", "ai_openai", {}],
  ["@openai/agents, responses", "openai_agents", { USE_RESPONSES: "yes" }],
  ["@openai/agents, chat completions", "openai_agents", { USE_RESPONSES: "no" }],
  ["LangChain, chat completions", "langchain", { API: "chat" }],
  ["LangChain, responses", "langchain", { API: "responses" }],
  ["LangChain, Anthropic's API", "langchain", { API: "messages" }],
];

const callsWeather: Pick = (tools) => tools.includes("weather") ? WEATHER : null;

for (const [name, file, env] of PROGRAMS) {
  const talk = async (scene: Scene, model: string): Promise<void> =>
    await inFolder(async (folder) => {
      const program = await Deno.readTextFile(new URL(`programs/${file}.mjs`, import.meta.url));
      const given = { BASE_URL: scene.proxy.url, API_KEY: KEY, MODEL: model, MARK, ...env };
      const args = ["--input-type=module", "--eval", program];
      const { text } = printed(await run(NODE, args, { HOME: folder, ...given }, CLIENTS));
      assertEquals(text, ANSWER);
    });

  Deno.test(`${name}: a turn with a tool, streamed`, async (t) => {
    await using scene = await startScene();
    for (const via of VIAS) {
      await t.step(via, async () => {
        scene.plays({ pick: callsWeather });
        await talk(scene, via);
        assert(scene.asked().length >= 2, "the tool's result did not come back");
      });
    }
  });

  Deno.test(`${name}: a turn that one provider begins, another goes on with, and the first ends`, async (t) => {
    await using scene = await startScene();
    for (const [a, b] of PAIRS) {
      await t.step(`${a}, ${b}, ${a}`, async () => {
        scene.plays({ pick: callsWeather, times: 2, turns: [a, b] });
        await talk(scene, routeOf(a, b));
        assertEquals(scene.answered().slice(0, 3), [a, b, a]);
      });
    }
  });
}

/** Codex runs a command; its newer models by a script, in a custom tool of a namespace. */
const callsShell: Pick = (tools, { path }) => {
  const cmd = `echo ${MARK}`;
  if (tools.includes("exec_command")) {
    return { id: "call_x1", name: "exec_command", arguments: { cmd } };
  }
  if (!tools.includes("functions__exec")) return null;
  const input = `text(JSON.stringify(await tools.exec_command(${JSON.stringify({ cmd })})))`;
  return path.endsWith("/responses")
    ? { id: "call_x1", name: "exec", namespace: "functions", arguments: {}, input }
    : { id: "call_x1", name: "functions__exec", arguments: { input } };
};

async function codex(scene: Scene, model: string, folder: string): Promise<void> {
  await Deno.writeTextFile(
    `${folder}/config.toml`,
    `model = "${model}"
model_provider = "proxy"
[model_providers.proxy]
name = "proxy"
base_url = "${scene.proxy.url}/v1"
env_key = "PROXY_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
`,
  );
  const args = ["exec", "--json", "--skip-git-repo-check"];
  const { code, stdout, stderr } = await run(
    `${CLIENTS}/node_modules/.bin/codex`,
    [...args, "--dangerously-bypass-approvals-and-sandbox", "Use your tool"],
    { CODEX_HOME: folder, PROXY_KEY: KEY },
    folder,
  );
  assertEquals(code, 0, stdout + stderr);
  assertStringIncludes(stdout, `"aggregated_output":"${MARK}\\n"`);
  assertStringIncludes(stdout, ANSWER);
}

Deno.test("Codex CLI: a command is run and told, with functions and with custom tools", async (t) => {
  await using scene = await startScene();
  for (const model of [...VIAS, ...Object.keys(CODEX_MODELS)]) {
    await t.step(model, () =>
      inFolder(async (folder) => {
        scene.plays({ pick: callsShell });
        await codex(scene, model, folder);
        assertEquals(scene.asked().length, 2);
      }));
  }
  for (const [a, b] of PAIRS) {
    await t.step(`${a}, ${b}, ${a}`, () =>
      inFolder(async (folder) => {
        scene.plays({ pick: callsShell, times: 2, turns: [a, b] });
        await codex(scene, routeOf(a, b), folder);
        assertEquals(scene.answered(), [a, b, a]);
      }));
  }
});

/** The smallest that a reader takes for one. */
const PDF = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n" +
  "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n" +
  "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 10 10]>>endobj\n" +
  "xref\n0 4\ntrailer<</Root 1 0 R/Size 4>>\nstartxref\n0\n%%EOF";

async function claudeCode(scene: Scene, model: string, folder: string): Promise<string> {
  const { code, stdout, stderr } = await run(
    `${CLIENTS}/node_modules/.bin/claude`,
    ["-p", "Read the file", "--model", model, "--allowedTools", "Read", "--output-format", "json"],
    {
      ...{ ANTHROPIC_BASE_URL: scene.proxy.url, ANTHROPIC_API_KEY: KEY },
      ...{ CLAUDE_CONFIG_DIR: `${folder}/.claude`, DISABLE_AUTOUPDATER: "1" },
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    },
    folder,
  );
  assertEquals(code, 0, stdout + stderr);
  const told: unknown = JSON.parse(stdout);
  const last: unknown = Array.isArray(told) ? told.at(-1) : told;
  return typeof last === "object" && last !== null && "result" in last ? String(last.result) : "";
}

const readsFile = (file: string): Pick => (tools) =>
  tools.includes("Read") ? { id: "toolu_r1", name: "Read", arguments: { file_path: file } } : null;

Deno.test("Claude Code: a file is read and told, with all its headers, betas and fields", async (t) => {
  await using scene = await startScene();
  for (const via of VIAS) {
    await t.step(via, () =>
      inFolder(async (folder) => {
        await Deno.writeTextFile(`${folder}/a.txt`, `${MARK}\n`);
        scene.plays({ pick: readsFile(`${folder}/a.txt`) });
        assertEquals(await claudeCode(scene, via, folder), ANSWER);
        const { headers } = scene.asked()[0] ?? { headers: new Headers() };
        if (via === "ant") {
          assertStringIncludes(headers.get("anthropic-beta") ?? "", "claude-code-");
        }
      }));
  }
  for (const [a, b] of PAIRS) {
    await t.step(`${a}, ${b}, ${a}`, () =>
      inFolder(async (folder) => {
        await Deno.writeTextFile(`${folder}/a.txt`, `${MARK}\n`);
        scene.plays({ pick: readsFile(`${folder}/a.txt`), times: 2, turns: [a, b] });
        assertEquals(await claudeCode(scene, routeOf(a, b), folder), ANSWER);
        assertEquals(scene.answered().slice(0, 3), [a, b, a]);
      }));
  }
});

Deno.test("Claude Code: a PDF that it reads goes where it is taken, and ends no session", async (t) => {
  await using scene = await startScene();
  for (const via of VIAS) {
    await t.step(via, () =>
      inFolder(async (folder) => {
        await Deno.writeTextFile(`${folder}/a.pdf`, PDF);
        scene.plays({ pick: readsFile(`${folder}/a.pdf`) });
        assertEquals(await claudeCode(scene, via, folder), "Hello.");
        const last = scene.asked().at(-1)?.text ?? "";
        assertEquals(last.includes(btoa(PDF).slice(0, 40)), via !== "oll", last.slice(-500));
        if (via === "oll") assertStringIncludes(last, "was left out: this provider takes none");
      }));
  }
});

Deno.test("count_tokens: Anthropic counts, for others the proxy estimates by what is said", async () => {
  await using scene = await startScene();
  const count = async (model: string, content: unknown): Promise<number> => {
    const answer = await scene.proxy.post("/v1/messages/count_tokens", {
      ...{ model, messages: [{ role: "user", content }] },
    }, { headers: { "x-api-key": KEY, "anthropic-version": "2023-06-01" } });
    const { input_tokens } = await answer.json();
    return input_tokens;
  };
  assertEquals(await count("ant", "hi"), 2095);
  const words = await count("gpt", "four words of text ".repeat(100));
  assert(words > 300 && words < 800, String(words));
  const source = { type: "base64", media_type: "image/png", data: "A".repeat(400_000) };
  const picture = await count("gpt", [{ type: "image", source }]);
  assert(picture > 500 && picture < 3000, `an image of ${picture} tokens`);
});
