// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * An agent's client in a VM of the simulated Qubes, set up by the README's own lines, with a model
 * behind openclaw-proxy that works by script, and a person in dom0.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { ParkedView } from "../../dom0/approval/parked_view.ts";
import { finish, type Finished, install, type Installed, until } from "../e2e/installed.ts";
import { PROJECT } from "../e2e/program_flags.ts";
import { writeExecutable } from "../executable.ts";
import { CLIENTS, KEY, type Scene, startScene } from "./clients_scene.ts";
import { administers, type CallOf, REASON } from "./qubes_agent.ts";

export const AGENT = "agent";

export interface QubesScene extends AsyncDisposable {
  readonly qubes: Installed;
  readonly models: Scene;
  readonly home: string;
  /** What a person types into a shell of the VM. */
  type(text: string): Promise<Finished>;
  /**
   * The model works by its script while `talk` runs, and a person in dom0 says yes to the first
   * change, no to the second, and yes to the command.
   *
   * @returns what the client printed, and why it said that it asks
   */
  administer<T>(callOf: CallOf, talk: () => Promise<T>): Promise<{ said: T; why: string | null }>;
}

export async function startQubesScene(): Promise<QubesScene> {
  const qubes = await install([{ name: AGENT, klass: "StandaloneVM" }, { name: "work" }]);
  await qubes.authorize(AGENT, "--grant", "ask");
  const daemon = await qubes.startDaemon([AGENT]);
  const models = await startScene();
  const { world } = qubes;
  for (const name of ["claude", "codex", "mcp-inspector"]) {
    const path = `PATH="${CLIENTS}/node_modules/node/bin:$PATH"`;
    const text = `#!/bin/sh\n${path} exec "${CLIENTS}/node_modules/.bin/${name}" "$@"\n`;
    writeExecutable(`${world.vmBin}/${name}`, text);
  }
  const env = {
    ...{ ANTHROPIC_BASE_URL: models.proxy.url, ANTHROPIC_API_KEY: KEY, PROXY_KEY: KEY },
    ...{ DISABLE_AUTOUPDATER: "1", CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1" },
  };
  return {
    ...{ qubes, models, home: world.vmHome(AGENT) },
    type: (text) =>
      finish(world.runInVm(AGENT, ["bash", "-c", text], { env, stdout: "piped", stderr: "piped" })),
    async administer(callOf, talk) {
      const decided: Promise<ParkedView>[] = [];
      models.plays(administers(callOf, (time) => {
        const words = time === 2 ? ["deny", "--reason", REASON] : ["approve", "--yes"];
        decided.push(decide(qubes, words));
      }));
      const said = await talk();
      const [first] = await Promise.all(decided);
      return { said, why: first?.why ?? null };
    },
    async [Symbol.asyncDispose]() {
      await models[Symbol.asyncDispose]();
      await daemon.stop();
      await qubes[Symbol.asyncDispose]();
    },
  };
}

/** Of the one request that waits for a person. */
async function decide(
  { dom0 }: Installed,
  [verb = "", ...options]: readonly string[],
): Promise<ParkedView> {
  const pending = async (): Promise<readonly ParkedView[]> =>
    JSON.parse((await dom0(["pending", "--json"])).stdout);
  await until("a request waits", async () => (await pending()).length > 0);
  const [view] = await pending();
  if (view === undefined) throw new Error("nothing waits");
  const { code, stderr } = await dom0([verb, `${view.number}`, ...options]);
  assertEquals(code, 0, stderr);
  return view;
}

/** The README's lines for that client, or its JSON for every other, without their comments. */
export async function recipeFor(
  client: "Claude Code" | "Codex" | "OpenClaw" | null,
): Promise<string> {
  const page = await Deno.readTextFile(`${PROJECT}/README.md`);
  const section = page.split(/\n(?=## )/).find((part) =>
    part.startsWith("## Give an agent tools\n")
  );
  const blocks = [...(section ?? "").matchAll(/```\w+\n([^]*?)```/g)].map(([, text = ""]) => text);
  const begin = client === null ? "{" : `# for ${client}`;
  const block = blocks.find((text) => text.startsWith(begin));
  if (block === undefined) throw new Error(`the README has no recipe for ${client}`);
  return block.replaceAll(/(^| +)# .*\n?/gm, (comment) => comment.startsWith("#") ? "" : "\n");
}
