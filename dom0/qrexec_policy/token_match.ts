// SPDX-License-Identifier: GPL-2.0-or-later
/** Which words of a policy fit which VM, and which VMs a word stands for. @module */
import { Refused } from "./policy_error.ts";
import { findDomain, isDom0, type SystemInfo } from "./system_info.ts";
import type { Token } from "./token.ts";

/** @returns true if the word in the source column fits the VM that calls. */
export function matchesSource(system: SystemInfo, pattern: Token, source: string): boolean {
  // Disposables call by their own names, so "@dispvm:..." as a source fits nobody.
  if (pattern.kind.startsWith("@dispvm")) return false;
  return matchesDomain(system, pattern, source);
}

/** @returns true if the word in the target column fits what was asked for. */
export function matchesTarget(
  system: SystemInfo,
  pattern: Token,
  asked: Token,
  source: string,
): boolean {
  if (pattern.kind !== "@dispvm:" && pattern.kind !== "@dispvm:@tag:") {
    return matchesDomain(system, pattern, asked.text);
  }
  const template = asked.kind === "@dispvm:"
    ? asked.value
    : asked.kind === "@dispvm"
    ? defaultDispvm(system, source)
    : undefined;
  if (pattern.kind === "@dispvm:") {
    if (asked.kind === "@dispvm" && template === undefined) {
      // match_strings() of the engine takes None for a string; the caller gets a refusal.
      throw new Refused(`the engine fails: "${source}" has no default_dispvm`);
    }
    if (template === undefined) return false;
    // For the caller's default the engine compares whole words, for a named one only the names.
    return asked.kind === "@dispvm"
      ? pattern.text === `@dispvm:${template}`
      : sameDomain(system, pattern.value, template);
  }
  if (template === undefined) return false;
  const domain = findDomain(system, template);
  if (domain === undefined) throw new Refused(`the engine fails: no VM "${template}"`);
  return domain.template_for_dispvms && domain.tags.includes(pattern.value);
}

/** The default template of disposables of `source`. */
export function defaultDispvm(system: SystemInfo, source: string): string | undefined {
  return findDomain(system, source)?.default_dispvm ?? undefined;
}

function matchesDomain(system: SystemInfo, pattern: Token, other: string): boolean {
  switch (pattern.kind) {
    case "*":
      return true;
    case "@adminvm":
      return isDom0(other);
    case "@anyvm": // all that is not dom0: "@default" and "@dispvm" too
      return !isDom0(other);
    case "@type:": // "dom0" has a type, "@adminvm" is only another word for it and has none
      return findDomain(system, other)?.type === pattern.value;
    case "@tag:":
      return findDomain(system, other)?.tags.includes(pattern.value) ?? false;
    case "@default":
    case "@dispvm":
      return other === pattern.text;
    case "name":
      return isDom0(pattern.text) ? isDom0(other) : sameDomain(system, pattern.text, other);
    case "@dispvm:":
    case "@dispvm:@tag:":
      return false; // matchesTarget() has dealt with them
    default:
      return pattern.kind satisfies never;
  }
}

/** Names are equal, or one is the uuid of the other. */
function sameDomain(system: SystemInfo, one: string, other: string): boolean {
  if (one.startsWith("uuid:") === other.startsWith("uuid:")) return one === other;
  const [uuid, name] = one.startsWith("uuid:") ? [one, other] : [other, one];
  const domain = findDomain(system, name);
  return domain !== undefined && uuid === `uuid:${domain.uuid}`;
}

/** Everything a person may choose if this word is asked about, in the engine's words. */
export function expand(system: SystemInfo, token: Token): readonly string[] {
  const all = Object.entries(system.domains);
  const disposable = ([name, domain]: typeof all[number]) =>
    domain.template_for_dispvms ? [`@dispvm:${name}`] : [];
  switch (token.kind) {
    case "*":
      return [...all.flatMap((entry) => [entry[0], ...disposable(entry)]), "@dispvm"];
    case "@anyvm":
      return [
        ...all.flatMap((entry) => [...isDom0(entry[0]) ? [] : [entry[0]], ...disposable(entry)]),
        "@dispvm",
      ];
    case "@adminvm":
    case "@dispvm":
      return [token.text];
    case "@default":
      return [];
    case "@type:":
      return all.filter(([, { type }]) => type === token.value).map(([name]) => name);
    case "@tag:":
      return all.filter(([, { tags }]) => tags.includes(token.value)).map(([name]) => name);
    case "@dispvm:@tag:":
      return all.filter(([, { tags }]) => tags.includes(token.value)).flatMap(disposable);
    case "@dispvm:":
      if (findDomain(system, token.value) === undefined) {
        throw new Refused(`the engine fails: no VM "${token.value}"`);
      }
      return findDomain(system, token.value)?.template_for_dispvms ? [token.text] : [];
    case "name":
      return findDomain(system, token.text) === undefined ? [] : [token.text];
    default:
      return token.kind satisfies never;
  }
}
