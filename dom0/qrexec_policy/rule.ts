// SPDX-License-Identifier: GPL-2.0-or-later
/** One line of a policy file: `service argument source target action parameter=value ...`. @module */
import { syntaxError } from "./policy_error.ts";
import { parseToken, type Token } from "./token.ts";

/** What a line says to do, with its parameters. */
export type Action =
  | { readonly kind: "deny" }
  | { readonly kind: "allow"; readonly target: Token | undefined; readonly autostart: boolean }
  | {
    readonly kind: "ask";
    readonly target: Token | undefined;
    readonly defaultTarget: Token | undefined;
    readonly autostart: boolean;
  };

/** One line, parsed. */
export interface Rule {
  /** Undefined stands for "*", any. */
  readonly service: string | undefined;
  /** With its "+". Undefined stands for "*", any, even none. */
  readonly argument: string | undefined;
  readonly source: Token;
  readonly target: Token;
  readonly action: Action;
  /** File and line, as "/etc/qubes/policy.d/50-openclaw.policy:7". */
  readonly at: string;
}

/** Which service and argument a rule, or an included file, is for. */
export interface Subject {
  readonly service: string | undefined;
  readonly argument: string | undefined;
}

/** What str.split() and str.strip() of Python take for space: four separators more than Unicode. */
// deno-lint-ignore no-control-regex
const SPACE = /[\p{White_Space}\x1c-\x1f]+/u;
const OUTER_SPACE = new RegExp(`^${SPACE.source}|${SPACE.source}$`, "gu");

const SERVICE = /^[A-Za-z0-9._-]*$/;
const ARGUMENT = /^\+[A-Za-z0-9+._-]*$/;
const PARAMETERS: Readonly<Record<Action["kind"], readonly string[]>> = {
  allow: ["target", "user", "notify", "autostart"],
  deny: ["notify"],
  ask: ["target", "default_target", "user", "notify", "autostart"],
};

export function stripped(line: string): string {
  return line.replace(OUTER_SPACE, "");
}

export function words(line: string): readonly string[] {
  return line.split(SPACE).filter((word) => word !== "");
}

/** @throws {Refused} */
export function parseSubject(service: string, argument: string, at: string): Subject {
  if (service !== "*" && !SERVICE.test(service)) throw syntaxError(at, `service "${service}"`);
  if (argument !== "*" && !ARGUMENT.test(argument)) throw syntaxError(at, `argument "${argument}"`);
  if (service === "*" && argument !== "*") {
    throw syntaxError(at, 'service "*" takes only the argument "*"');
  }
  return {
    service: service === "*" ? undefined : service,
    argument: argument === "*" ? undefined : argument,
  };
}

/** @throws {Refused} */
export function parseRule(line: string, at: string): Rule {
  const [service = "", argument = "", ...rest] = words(line);
  if (rest.length < 3) throw syntaxError(at, "wrong number of fields");
  return parseRest(parseSubject(service, argument, at), rest, at);
}

/** What follows service and argument; in files of the old form nothing else stands there. */
export function parseRest(subject: Subject, rest: readonly string[], at: string): Rule {
  const [source, target, action, ...parameters] = rest;
  if (source === undefined || target === undefined || action === undefined) {
    throw syntaxError(at, "wrong number of fields");
  }
  const rule = {
    ...subject,
    source: parseToken(source, "source", at),
    target: parseToken(target, "target", at),
    action: parseAction(action, parameters, at),
    at,
  };
  if (
    rule.target.kind === "@default" && rule.action.kind === "allow" &&
    rule.action.target === undefined
  ) {
    throw syntaxError(at, '"allow" on "@default" needs target=');
  }
  return rule;
}

function parseAction(kind: string, words: readonly string[], at: string): Action {
  if (kind !== "allow" && kind !== "deny" && kind !== "ask") {
    throw syntaxError(at, `unknown action "${kind}"`);
  }
  const values = parseParameters(kind, words, at);
  const redirect = (name: string) => {
    const text = values.get(name);
    return text === undefined ? undefined : parseToken(text, "redirect", at);
  };
  const autostart = values.get("autostart") !== "no";
  switch (kind) {
    case "deny":
      return { kind };
    case "allow":
      return { kind, target: redirect("target"), autostart };
    case "ask":
      return {
        kind,
        target: redirect("target"),
        defaultTarget: redirect("default_target"),
        autostart,
      };
    default:
      return kind satisfies never;
  }
}

function parseParameters(
  kind: Action["kind"],
  words: readonly string[],
  at: string,
): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const word of words) {
    const [, name = "", value = ""] = /^([^=]*)=([^]*)$/.exec(word) ?? [];
    if (!PARAMETERS[kind].includes(name)) throw syntaxError(at, `"${kind}" takes no "${word}"`);
    if (values.has(name)) throw syntaxError(at, `"${name}" given twice`);
    const isSwitch = name === "notify" || name === "autostart";
    if (isSwitch && value !== "yes" && value !== "no") {
      throw syntaxError(at, `"${name}" is yes or no`);
    }
    values.set(name, value);
  }
  return values;
}
