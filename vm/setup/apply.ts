// SPDX-License-Identifier: GPL-2.0-or-later
/** Carrying a step of setup-vm out, or back. @module */

import { durableRemove, durableWrite, syncFolderOf } from "../../shared/io/durable.ts";
import { ifPresent, makePrivateFolder, readSmallText } from "../../shared/io/files.ts";
import { UserError } from "../../shared/cli/program.ts";
import type { Engine } from "../../shared/setup/engine.ts";
import { AbsentProgram } from "../../shared/io/run_tool.ts";
import { runOrFail, type Tools } from "../../shared/setup/tools.ts";
import { describe } from "./describe.ts";
import { type Fact, record } from "./fact.ts";
import { removesAll, type Step, stepFor } from "./plan.ts";
import { withSetting } from "./openclaw_setting.ts";
import { MAX_FILE_BYTES, type Read } from "./reader.ts";

/** How setup-vm goes about its places. */
export function createEngine(tools: Tools, read: Read): Engine<Fact> {
  return {
    record,
    describe,
    stepFor: (wanted) => stepFor(read, wanted),
    carryOut: (step) => carryOut(step, tools),
    takeBack: (step) => carryOut(step, tools),
  };
}

async function carryOut(step: Step, tools: Tools): Promise<void> {
  const { fact, to, commands } = step;
  switch (fact.kind) {
    case "folder":
      return await changeFolder(step, fact);
    case "kept":
      if (to === null) return void await durableRemove(fact.path);
      return await durableWrite(fact.path, step.text?.() ?? "");
    case "setting": {
      const text = await readSmallText(fact.path, MAX_FILE_BYTES);
      return await durableWrite(fact.path, withSetting(fact.path, text, fact.key, to));
    }
    case "file":
      if (fact.root) break;
      if (to === null) return void await durableRemove(fact.path);
      return await durableWrite(fact.path, to);
  }
  try {
    for (const command of commands) await runOrFail(tools, command);
  } catch (error) {
    if (fact.kind !== "packages" || !(error instanceof AbsentProgram)) throw error;
    throw leftOut(fact);
  }
}

function leftOut({ name, prefix }: Fact & { kind: "packages" }): UserError {
  return new UserError(
    `npm left ${name} out: the registry does not have it, or has it with another hash`,
    [
      `see what it says: npm ci --prefix ${prefix}/${name} --ignore-scripts --loglevel=verbose`,
    ],
  );
}

async function changeFolder(step: Step, fact: Fact & { kind: "folder" }): Promise<void> {
  const { to } = step;
  if (to !== null) {
    await makePrivateFolder(fact.path);
    if (fact.private) await Deno.chmod(fact.path, parseInt(to, 8));
    return await syncFolderOf(fact.path);
  }
  try {
    await ifPresent(Deno.remove(fact.path, { recursive: removesAll(step) }));
    await ifPresent(syncFolderOf(fact.path));
  } catch (error) {
    // Something of others is in it: then it is theirs now.
    if (!(error instanceof Error && "code" in error && error.code === "ENOTEMPTY")) throw error;
  }
}
