// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Whether a call that a VM makes is let through.
 *
 * This is the seam for a policy engine: `decideCall` is all that
 * qrexec-client-vm asks. It knows the columns of qrexec policy files, first
 * match wins, no match is deny; "ask" counts as a refusal, there is no one.
 *
 *     # service           argument  source   target        action
 *     qubes.ConnectTCP    +32125    client   agent         allow
 *     test.Echo           *         @anyvm   @tag:servers  allow
 *     test.Default        *         work     @default      allow target=agent
 *
 * @module
 */
import { findVm, type VmConfig, type WorldConfig } from "./world_config.ts";

/** A call as the VM asked for it. */
export interface VmCall {
  readonly source: string;
  /** A name, or "@default". */
  readonly target: string;
  readonly service: string;
  /** What follows the "+", empty if there is none. */
  readonly argument: string;
}

/** @returns the VM to connect to, or undefined for a refusal. */
export function decideCall(world: WorldConfig, call: VmCall): string | undefined {
  const source = findVm(world, call.source);
  if (source === undefined) return undefined;
  const isKnown = call.target === "dom0" || findVm(world, call.target) !== undefined;
  const asked = isKnown ? call.target : "@default";
  for (const line of world.policy) {
    const [service, argument, from, to, action, ...options] = line.trim().split(/\s+/);
    if (line.trim() === "" || line.trim().startsWith("#")) continue;
    if (service !== "*" && service !== call.service) continue;
    if (argument !== "*" && argument !== `+${call.argument}`) continue;
    if (!matches(world, from ?? "", call.source) || !matches(world, to ?? "", asked)) continue;
    if (action !== "allow") return undefined;
    const redirect = options.find((option) => option.startsWith("target="))?.slice(7);
    const target = redirect ?? asked;
    return target === "@default" || target === call.source ? undefined : target;
  }
  return undefined;
}

function matches(world: WorldConfig, pattern: string, name: string): boolean {
  if (pattern === "*" || pattern === name) return true;
  const vm: VmConfig | undefined = findVm(world, name);
  if (vm === undefined) return false; // "@anyvm" does not mean dom0
  return pattern === "@anyvm" ||
    pattern.startsWith("@tag:") && vm.tags.includes(pattern.slice(5)) ||
    pattern === `@type:${vm.klass}`;
}
