// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What qrexec's policy would say of a call, and which line of which file: by the files as they are and
 * the qubes as Qubes' own tools list them. Nothing is called.
 *
 * @module
 */

import { runTool } from "../../shared/io/run_tool.ts";
import { UserError } from "../../shared/cli/program.ts";
import { KINDS, ParameterError } from "../operations/parameter.ts";
import type { JsonValue } from "../operations/operation.ts";
import type { KnownQubes } from "../policy/qube_facts.ts";
import { type Call, decide, type Decision } from "../qrexec_policy/decide.ts";
import { loadPolicy } from "../qrexec_policy/load_policy.ts";
import { NotSupported, Refused } from "../qrexec_policy/policy_error.ts";
import { filesOnDisk } from "../qrexec_policy/policy_files.ts";
import type { Rule } from "../qrexec_policy/rule.ts";
import type { Domain, SystemInfo } from "../qrexec_policy/system_info.ts";

export interface QrexecParts {
  /** In front of each path. */
  readonly root: string;
  readonly facts: (tags: ReadonlySet<string>) => Promise<KnownQubes>;
}

const TOOL_LIMIT_MS = 20_000;

/** @throws {UserError} the qubes cannot be listed, or this cannot be judged */
export async function explainCall(
  { root, facts }: QrexecParts,
  call: Call,
): Promise<JsonValue> {
  try {
    const rules = loadPolicy(filesOnDisk(root));
    const decision = decide(rules, await systemInfo(rules, facts), call);
    return asValue(decision);
  } catch (error) {
    if (error instanceof Refused) {
      return { verdict: "deny", targets: [], at: null, why: error.message };
    }
    if (error instanceof NotSupported) {
      throw new UserError(`This cannot be judged here: ${error.message}`);
    }
    throw error;
  }
}

function asValue(decision: Decision): JsonValue {
  const { verdict, at = null } = decision;
  const [targets, why] = decision.verdict === "allow"
    ? [[decision.target], decision.autostart ? "" : "a qube that does not run is not started"]
    : decision.verdict === "ask"
    ? [[...decision.targets], ""]
    : [[], decision.why];
  return { verdict, targets, at, why };
}

async function systemInfo(
  rules: readonly Rule[],
  facts: QrexecParts["facts"],
): Promise<SystemInfo> {
  const tags = new Set(rules.flatMap(tagsOf));
  const [{ inventory }, dispvms] = await Promise.all([facts(tags), dispvmFacts()]);
  if (inventory === null) throw new UserError("The qubes and their tags cannot be listed.");
  return {
    domains: Object.fromEntries([...inventory.types].map(([name, type]): [string, Domain] => [
      name,
      {
        type,
        tags: [...inventory.tagged].filter(([, names]) => names.has(name)).map(([tag]) => tag),
        uuid: "",
        ...dispvms.get(name) ?? UNKNOWN_DISPVM,
      },
    ])),
  };
}

function tagsOf({ source, target }: Rule): readonly string[] {
  return [source, target].filter(({ kind }) => kind === "@tag:" || kind === "@dispvm:@tag:")
    .map(({ value }) => value).filter(isTag);
}

/** What is no tag, no qube has. */
function isTag(word: string): boolean {
  try {
    return KINDS.tag.parse(word) === word;
  } catch (error) {
    if (error instanceof ParameterError) return false;
    throw error;
  }
}

type DispvmFacts = Pick<Domain, "template_for_dispvms" | "default_dispvm" | "power_state">;

const UNKNOWN_DISPVM: DispvmFacts = {
  template_for_dispvms: false,
  default_dispvm: null,
  power_state: "Halted",
};

/** @throws {UserError} */
async function dispvmFacts(): Promise<ReadonlyMap<string, DispvmFacts>> {
  const fields = "--fields=name,state,template_for_dispvms,default_dispvm";
  const { code, stdout } = await runTool(["qvm-ls", "--raw-data", fields], {
    limitMs: TOOL_LIMIT_MS,
  });
  if (code !== 0) throw new UserError("The qubes cannot be listed.");
  return new Map(
    stdout.split("\n").filter((line) => line !== "").map((line): [string, DispvmFacts] => {
      const [name = "", power_state = "", isTemplate = "", dispvm = ""] = line.split("|");
      return [name, {
        power_state,
        template_for_dispvms: isTemplate === "True",
        default_dispvm: dispvm === "" || dispvm === "-" ? null : dispvm,
      }];
    }),
  );
}
