// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a policy is judged against: the VMs, in the shape in which qubesd tells the policy engine
 * (internal.GetSystemInfo in qubes-core-admin, utils.py in qubes-core-qrexec).
 *
 * @module
 */

/** One VM, or dom0. The engine's JSON has more in it; this is what decides. */
export interface Domain {
  readonly tags: readonly string[];
  /** "AppVM", "DispVM", "AdminVM" ... */
  readonly type: string;
  readonly template_for_dispvms: boolean;
  /** The template of the disposables it asks for, by name. */
  readonly default_dispvm: string | null;
  /** "Running", "Halted", "Paused" ... */
  readonly power_state: string;
  readonly uuid: string;
  /** Not offered to a person to choose from. Text, as all features: even "0" counts as true. */
  readonly internal?: string | null;
}

/** All of them, by name. dom0 is in it under "dom0". */
export interface SystemInfo {
  readonly domains: Readonly<Record<string, Domain>>;
}

const DOM0_UUID = "uuid:00000000-0000-0000-0000-000000000000";

/** The three spellings of dom0, which mean the same wherever dom0 is matched as such. */
export function isDom0(text: string): boolean {
  return text === "@adminvm" || text === "dom0" || text === DOM0_UUID;
}

/** @returns the domain by its name or by "uuid:...", or undefined. */
export function findDomain({ domains }: SystemInfo, text: string): Domain | undefined {
  if (Object.hasOwn(domains, text)) return domains[text];
  if (!text.startsWith("uuid:")) return undefined;
  return Object.values(domains).find(({ uuid }) => `uuid:${uuid}` === text);
}

/** @returns the name of a domain that is given by its name or by "uuid:...". */
export function nameOf({ domains }: SystemInfo, text: string): string {
  if (!text.startsWith("uuid:")) return text;
  return Object.keys(domains).find((name) => `uuid:${domains[name]?.uuid}` === text) ?? text;
}
