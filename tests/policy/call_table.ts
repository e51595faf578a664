// SPDX-License-Identifier: GPL-2.0-or-later
/** The table of calls in tests/vectors/policy_calls.json, and how a verdict is written in it. @module */
import { decide, type Decision } from "../../dom0/qrexec_policy/decide.ts";
import {
  loadPolicy,
  OLD_POLICY_FOLDER,
  POLICY_FOLDERS,
} from "../../dom0/qrexec_policy/load_policy.ts";
import { Refused } from "../../dom0/qrexec_policy/policy_error.ts";
import type { PolicyFiles } from "../../dom0/qrexec_policy/policy_files.ts";
import { filesInMemory } from "./made_up_files.ts";
import type { Rule } from "../../dom0/qrexec_policy/rule.ts";
import type { SystemInfo } from "../../dom0/qrexec_policy/system_info.ts";

/** The repository: some sets name files of it. */
export const PROJECT = new URL("../../", import.meta.url).pathname.replace(/\/$/, "");

/** A world of policy files. */
export interface PolicySet {
  readonly about: string;
  /** Lines, or the path of a file in this repository, by path in dom0. */
  readonly files: Readonly<Record<string, readonly string[] | string>>;
  /** One of the three usual folders that is not there. */
  readonly missing?: readonly string[];
  /** True if something in it refuses every call. */
  readonly refusesAll?: boolean;
}

/** One call, and what comes of it. */
export interface TableCall {
  readonly group: string;
  readonly set: string;
  readonly source: string;
  readonly target: string;
  readonly service: string;
  /** "deny", "allow TARGET", or "ask TARGET ... default=TARGET". */
  readonly expect: string;
  readonly why?: string;
}

/** The file as it is. */
export interface CallTable {
  readonly system: SystemInfo;
  readonly sets: Readonly<Record<string, PolicySet>>;
  readonly calls: readonly TableCall[];
}

/** The rules of a set, or why there are none. */
export type Loaded = { readonly rules: readonly Rule[] } | { readonly refused: string };

export function readTable(): CallTable {
  return JSON.parse(Deno.readTextFileSync(`${PROJECT}/tests/vectors/policy_calls.json`));
}

/** @returns the files of a set, as they would be in dom0 */
export function filesOfSet({ files, missing = [] }: PolicySet): PolicyFiles {
  const folders = [...POLICY_FOLDERS, OLD_POLICY_FOLDER].filter((path) => !missing.includes(path));
  const text = (content: readonly string[] | string): string =>
    typeof content === "string"
      ? Deno.readTextFileSync(`${PROJECT}/${content}`)
      : `${content.join("\n")}\n`;
  const texts = Object.entries(files).map(([path, content]) => [path, text(content)]);
  return filesInMemory(Object.fromEntries(texts), folders);
}

/** A mistake that refuses every call is a result here, not a failure. */
export function loadSet(files: PolicyFiles): Loaded {
  try {
    return { rules: loadPolicy(files) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { refused: error.message };
  }
}

/** @returns the verdict of the evaluator on a call of the table */
export function decideCallOf(loaded: Loaded, system: SystemInfo, call: TableCall): Decision {
  if ("refused" in loaded) return { verdict: "deny", why: loaded.refused, at: undefined };
  return decide(loaded.rules, system, call);
}

/** A verdict in the words of the table. */
export function written(decision: Decision): string {
  switch (decision.verdict) {
    case "allow":
      return `allow ${decision.target}`;
    case "ask": {
      const chosen = decision.defaultTarget;
      return ["ask", ...decision.targets, ...chosen === undefined ? [] : [`default=${chosen}`]]
        .join(" ");
    }
    case "deny":
      return "deny";
    default:
      return decision satisfies never;
  }
}
