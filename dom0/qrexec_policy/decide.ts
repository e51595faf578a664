// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The verdict on one call: the first rule that fits decides, no rule is "deny".
 *
 * Follows Request, Allow and Ask in qrexec/policy/parser.py and handle_request() in
 * qrexec/tools/qrexec_policy_exec.py of qubes-core-qrexec 4.4.2. What comes before it is not here:
 * qrexec-daemon replaces odd bytes of service and target by "_".
 *
 * @module
 */
import { askTargets } from "./ask_targets.ts";
import { NotSupported, Refused } from "./policy_error.ts";
import type { Action, Rule } from "./rule.ts";
import { findDomain, isDom0, type SystemInfo } from "./system_info.ts";
import { parseToken, type Token } from "./token.ts";
import { defaultDispvm, matchesSource, matchesTarget } from "./token_match.ts";

/** A call as the policy engine is asked about it. */
export interface Call {
  /** The name of the VM that calls. */
  readonly source: string;
  /** What it wrote: a name, a keyword, or nothing. */
  readonly target: string;
  /** "service" or "service+argument". */
  readonly service: string;
}

/** What comes of a call. */
export type Decision = Allowed | Asked | Denied;

/** It goes to `target`: a name, or "@dispvm:NAME" for a new disposable. */
export interface Allowed {
  readonly verdict: "allow";
  readonly target: string;
  /** False if a VM that does not run is not started for it. */
  readonly autostart: boolean;
  readonly at: string;
}

/** A person in dom0 chooses one of `targets`, or refuses. */
export interface Asked {
  readonly verdict: "ask";
  readonly targets: readonly string[];
  readonly defaultTarget: string | undefined;
  readonly at: string;
}

/** Refused. `at` is the rule that said so, if it was a rule. */
export interface Denied {
  readonly verdict: "deny";
  readonly why: string;
  readonly at: string | undefined;
}

/** The reason of a refusal that a "deny" line says itself. */
export const DENIED_BY_RULE = "a rule denies it";

type ActionOf<K extends Action["kind"]> = Extract<Action, { readonly kind: K }>;

/** What the actions are judged against. */
interface Scene {
  readonly rules: readonly Rule[];
  readonly system: SystemInfo;
  readonly call: Call;
  readonly asked: Token;
}

/** @throws {NotSupported} the engine would answer and this cannot */
export function decide(rules: readonly Rule[], system: SystemInfo, call: Call): Decision {
  if (call.source.startsWith("@") || call.source.startsWith("uuid:")) {
    throw new NotSupported(`a source that is no name: "${call.source}"`);
  }
  let at: string | undefined;
  try {
    const asked = askedTarget(call.target, system);
    const rule = rules.find((rule) => fits(rule, system, call, asked));
    if (rule === undefined) return { verdict: "deny", why: "no rule fits", at };
    at = rule.at;
    const scene = { rules, system, call, asked };
    switch (rule.action.kind) {
      case "deny":
        return { verdict: "deny", why: DENIED_BY_RULE, at };
      case "allow":
        return { ...allow(rule.action, scene), at };
      case "ask":
        return { ...ask(rule.action, scene), at };
      default:
        return rule.action satisfies never;
    }
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { verdict: "deny", why: error.message, at };
  }
}

/** A name nobody has counts as none given; a bad keyword refuses the call. */
function askedTarget(text: string, system: SystemInfo): Token {
  return verified(parseToken(text || "@default", "asked", "the call"), system);
}

function verified(token: Token, system: SystemInfo): Token {
  const domain = findDomain(system, token.value);
  if (token.kind === "name" && domain === undefined) {
    return parseToken("@default", "asked", "the call");
  }
  if (token.kind === "@dispvm:" && !domain?.template_for_dispvms) {
    throw new Refused(`"${token.value}" is no template for disposables`);
  }
  return token;
}

function fits(rule: Rule, system: SystemInfo, call: Call, asked: Token): boolean {
  return fitsButTarget(rule, system, call) &&
    matchesTarget(system, rule.target, asked, call.source);
}

function fitsButTarget(rule: Rule, system: SystemInfo, { source, service }: Call): boolean {
  const plus = service.indexOf("+");
  const [name, argument] = plus < 0
    ? [service, "+"] // no argument and an empty one are the same to a policy
    : [service.slice(0, plus), service.slice(plus)];
  return (rule.service === undefined || rule.service === name) &&
    (rule.argument === undefined || rule.argument === argument) &&
    matchesSource(system, rule.source, source);
}

function allow(
  action: ActionOf<"allow">,
  { system, call: { source }, asked }: Scene,
): Omit<Allowed, "at"> {
  const token = verified(action.target ?? asked, system);
  if (token.kind === "@default") throw new Refused("no target, neither asked for nor in the rule");
  let target = token.text;
  if (token.kind === "@dispvm") {
    const template = defaultDispvm(system, source);
    if (template === undefined) throw new Refused(`"${source}" has no default_dispvm`);
    target = `@dispvm:${template}`;
  } else if (token.kind === "@adminvm") {
    target = "dom0";
  }
  if (!action.autostart && !runsAlready(system, target)) {
    throw new Refused(`"${target}" does not run, and autostart=no`);
  }
  if (source === target) throw new Refused("a VM does not call itself");
  if (isDom0(target)) target = "dom0";
  const domain = findDomain(system, target.replace(/^@dispvm:/, ""));
  if (domain === undefined && target !== "dom0") throw new Refused(`no VM "${target}"`);
  if (domain?.type === "RemoteVM") throw new NotSupported(`"${target}" is a RemoteVM`);
  return { verdict: "allow", target, autostart: action.autostart };
}

function ask(
  action: ActionOf<"ask">,
  { rules, system, call }: Scene,
): Omit<Asked, "at"> {
  const fitting = rules.filter((rule) => fitsButTarget(rule, system, call));
  const all = action.target === undefined
    ? askTargets(fitting, system, call.source)
    : [isDom0(action.target.text) ? "dom0" : action.target.text];
  const targets = all.filter((target) => action.autostart || runsAlready(system, target));
  if (targets.length === 0) throw new Refused("nothing to choose from");
  const wished = defaultTarget(action.defaultTarget, system, call.source);
  const isOffered = wished !== undefined && targets.includes(wished);
  return {
    verdict: "ask",
    targets: [...targets].sort(),
    defaultTarget: isOffered ? wished : undefined,
  };
}

function defaultTarget(
  token: Token | undefined,
  system: SystemInfo,
  source: string,
): string | undefined {
  if (token?.kind === "@dispvm") {
    const template = defaultDispvm(system, source);
    return template === undefined ? undefined : `@dispvm:${template}`;
  }
  return token !== undefined && isDom0(token.text) ? "dom0" : token?.text;
}

/** A new disposable never does; a VM that is paused or still starting does not either. */
function runsAlready(system: SystemInfo, target: string): boolean {
  if (isDom0(target)) return true;
  if (target.startsWith("@dispvm")) return false;
  const domain = findDomain(system, target);
  if (domain === undefined) throw new Refused(`the engine fails: no VM "${target}"`);
  return domain.power_state === "Running";
}
