// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Facts about qubes in dom0, from qvm-ls, whose options are stable, and from the store file that qubesd
 * replaces with each change.
 *
 * @module
 */

import { runTool } from "../../shared/io/run_tool.ts";
import { ifPresentSync } from "../../shared/io/sync_files.ts";
import { KINDS } from "../operations/parameter.ts";
import type { FactsSource, Inventory } from "./qube_facts.ts";

/** Each qvm-ls starts a Python that talks to qubesd: a tenth of a second, more on a busy system. */
const TOOL_TIMEOUT_MS = 20_000;

/** @param storeFile /var/lib/qubes/qubes.xml */
export function qvmLsFacts(storeFile: string): FactsSource {
  return {
    stamp() {
      const info = ifPresentSync(() => Deno.statSync(storeFile));
      if (info === undefined) return null;
      return [info.ino, info.size, info.mtime?.getTime(), info.ctime?.getTime()].join(" ");
    },
    async read(tags) {
      const [types, ...tagged] = await Promise.all([
        namesAndClasses(),
        ...[...tags].map(async (tag) => [tag, await namesWith(tag)] as const),
      ]);
      return { types, tagged: new Map(tagged) };
    },
  };
}

async function namesAndClasses(): Promise<Inventory["types"]> {
  const lines = await qvmLs("--raw-data", "--fields=name,class");
  return new Map(lines.map((line) => {
    const [name, type, ...more] = line.split("|");
    if (name === undefined || type === undefined || more.length > 0) {
      throw new Error("qvm-ls printed an unexpected line");
    }
    return [name, type];
  }));
}

async function namesWith(tag: string): Promise<ReadonlySet<string>> {
  return new Set(await qvmLs("--raw-list", "--tags", String(KINDS.tag.parse(tag))));
}

async function qvmLs(...args: readonly string[]): Promise<readonly string[]> {
  const { code, stdout } = await runTool(["qvm-ls", ...args], { limitMs: TOOL_TIMEOUT_MS });
  if (code !== 0) throw new Error(`qvm-ls ended with code ${code}`);
  return stdout.split("\n").filter((line) => line !== "");
}
