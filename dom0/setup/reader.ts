// SPDX-License-Identifier: GPL-2.0-or-later
/** What a fact is now, asked of the tools. Asks each question once. @module */

import { ifPresent, readSmallText } from "../../shared/io/files.ts";
import { UserError } from "../../shared/cli/program.ts";
import { shellQuote } from "../../shared/protocol/command.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { type Fact, lookAtBlock, OTHER, type Value, vmOf, YES } from "./fact.ts";
import type { Tools } from "./tools.ts";
import { BLOCK_EXIT } from "./vm_block.ts";

/** undefined: it cannot be known now, as the VM is not there, or is halted. */
export type Reading = Value | undefined;

export interface Reader {
  read(fact: Fact): Promise<Reading>;
  exists(vm: VmName): Promise<boolean>;
  isRunning(vm: VmName): Promise<boolean>;
  /** Something about the VM, or its being there, has changed. */
  forget(): void;
}

/** Setup writes and restores no file larger than this. */
export const MAX_FILE_BYTES = 64 * 1024;
const DROP_RULE = "action=drop";

export function createReader(tools: Tools): Reader {
  const answers = new Map<string, Promise<unknown>>();
  const once = <T>(key: string, ask: () => Promise<T>): Promise<T> => {
    const asked = (answers.get(key) ?? ask()) as Promise<T>;
    answers.set(key, asked);
    return asked;
  };
  const exists = (vm: VmName): Promise<boolean> =>
    once(`exists ${vm}`, async () => await exitCode(tools, "qvm-check", "--quiet", vm) === 0);
  const isRunning = (vm: VmName): Promise<boolean> =>
    once(
      `running ${vm}`,
      async () => await exitCode(tools, "qvm-check", "--quiet", "--running", vm) === 0,
    );
  const prefs = (vm: VmName) => once(`prefs ${vm}`, () => readPrefs(tools, vm));
  const tags = (vm: VmName) =>
    once(`tags ${vm}`, async () => {
      return (await output(tools, "qvm-tags", vm, "list")).split("\n");
    });

  const readThere = async (fact: Fact): Promise<Reading> => {
    switch (fact.kind) {
      case "vm":
        return YES;
      case "pref":
        return (await prefs(fact.vm)).get(fact.name) ?? null;
      case "tag":
        return (await tags(fact.vm)).includes(fact.name) ? YES : null;
      case "feature":
        return await ifSet(tools, "qvm-features", fact.vm, fact.name);
      case "service":
        return await ifSet(tools, "qvm-service", fact.vm, fact.name);
      case "firewall": {
        const [first] = (await output(tools, "qvm-firewall", "--raw", fact.vm, "list")).split("\n");
        return first === DROP_RULE ? YES : null;
      }
      case "file":
        return await ifPresent(readSmallText(fact.path, MAX_FILE_BYTES)) ?? null;
      case "enabled":
      case "active": {
        const words = [`is-${fact.kind}`, "--quiet", fact.unit] as const;
        return await exitCode(tools, "systemctl", ...words) === 0 ? YES : null;
      }
      case "block":
        return await isRunning(fact.vm) ? await readBlock(tools, fact) : undefined;
    }
  };
  return {
    exists,
    isRunning,
    async read(fact) {
      const vm = vmOf(fact);
      if (vm !== undefined && !await exists(vm)) return fact.kind === "vm" ? null : undefined;
      return await readThere(fact);
    },
    forget: () => answers.clear(),
  };
}

async function readBlock(tools: Tools, fact: Fact & { kind: "block" }): Promise<Value> {
  const { code } = await tools.run(lookAtBlock(fact));
  if (code === BLOCK_EXIT.same) return YES;
  if (code === BLOCK_EXIT.none) return null;
  if (code === BLOCK_EXIT.other) return OTHER;
  throw new UserError(`cannot look into ${fact.vm}: qvm-run ended with ${code}`, [
    `see whether "qvm-run -p -u root ${fact.vm} true" works`,
  ]);
}

/** Properties that were set. "name  -  value", or "name  D  value" for a default. */
export function parsePrefs(text: string): ReadonlyMap<string, string> {
  const set = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name = "", value = ""] = /^(\S+) +- {2}(.*)$/.exec(line) ?? [];
    // "none" is what qvm-prefs takes for what it prints as "None".
    if (name !== "") set.set(name, value === "None" ? "none" : value);
  }
  return set;
}

async function readPrefs(tools: Tools, vm: VmName): Promise<ReadonlyMap<string, string>> {
  return parsePrefs(await output(tools, "qvm-prefs", vm));
}

/** Both tools print the value; without one they print nothing and exit with 1. */
async function ifSet(tools: Tools, tool: string, vm: VmName, name: string): Promise<Value> {
  const { code, stdout, stderr } = await tools.run({ argv: [tool, vm, name] });
  if (code === 0) return stdout.replace(/\n$/, "");
  if (code === 1 && stderr.trim() === "") return null;
  throw failed([tool, vm, name], code, stderr);
}

async function exitCode(
  tools: Tools,
  ...argv: [program: string, ...args: string[]]
): Promise<number> {
  return (await tools.run({ argv })).code;
}

/** @throws {UserError} if the tool fails */
export async function output(
  tools: Tools,
  ...argv: [program: string, ...args: string[]]
): Promise<string> {
  const { code, stdout, stderr } = await tools.run({ argv });
  if (code === 0) return stdout.replace(/\n$/, "");
  throw failed(argv, code, stderr);
}

function failed(argv: readonly string[], code: number, stderr: string): UserError {
  return new UserError(
    `"${shellQuote(argv)}" ended with ${code}: ${printable(stderr.trim(), 400)}`,
  );
}
