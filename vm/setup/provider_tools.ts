// SPDX-License-Identifier: GPL-2.0-or-later
/** The programs that a provider needs beside the proxy. None is fetched from its vendor's script. @module */

import { AbsentProgram } from "../../shared/io/run_tool.ts";
import type { Tools } from "../../shared/setup/tools.ts";
import type { Distribution } from "./distribution.ts";
import type { SetupRequest } from "./request.ts";

/** For people: what they have to install themselves. */
export async function providerNotes(
  { provider, part }: SetupRequest,
  distribution: Distribution,
  tools: Tools,
): Promise<readonly string[]> {
  if (part === "agent of a key qube") return [];
  const isThere = async (...names: readonly string[]): Promise<boolean> => {
    for (const name of names) if (await answers(tools, name)) return true;
    return false;
  };
  const needs = (name: string): boolean => provider === name || provider === "multi";
  return [
    ...(needs("cursor") && !await isThere("cursor-agent", "agent") ? [CURSOR_NOTE] : []),
    ...(needs("ollama") && !await isThere("ollama") ? [ollamaNote(distribution)] : []),
  ];
}

async function answers(tools: Tools, program: string): Promise<boolean> {
  try {
    return (await tools.run({ argv: [program, "--version"] })).code === 0;
  } catch (error) {
    if (error instanceof AbsentProgram) return false;
    throw error;
  }
}

const CURSOR_NOTE = "there is no cursor-agent here: Cursor's program is in no registry that " +
  "checks what it gives, so setup-vm does not fetch it. Its vendor has an installer, a script: " +
  "fetch it into a file, read it, run it in a disposable, and copy the program (~/.local/bin, " +
  "~/.local/share/cursor-agent) into this VM. Then log in with a key: CURSOR_API_KEY in proxy.env";

function ollamaNote({ name, install, ollama }: Distribution): string {
  const way = ollama === undefined
    ? `${name} has no package of it: take the archive of a release, check its SHA-256 against the ` +
      "one that the release names, and unpack it below /usr/local"
    : `in the template, or here if this is a StandaloneVM: sudo ${install.join(" ")} ${ollama}`;
  return `there is no ollama here. ${way}. Then: ollama pull gpt-oss:20b`;
}
