// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Whether a call that a VM makes is let through: what the policy files in the world's dom0 say,
 * by the evaluator in dom0/qrexec_policy. `decideCall` is all that qrexec-client-vm asks.
 *
 * Nobody sits before the simulation: "ask" is a refusal. So is what would go to a new disposable,
 * of which there are none here, and what would go to dom0, which has no services.
 *
 * @module
 */
import { decide } from "../../dom0/qrexec_policy/decide.ts";
import { loadPolicy } from "../../dom0/qrexec_policy/load_policy.ts";
import { Refused } from "../../dom0/qrexec_policy/policy_error.ts";
import { filesOnDisk } from "../../dom0/qrexec_policy/policy_files.ts";
import type { Domain, SystemInfo } from "../../dom0/qrexec_policy/system_info.ts";
import { worldPaths } from "./layout.ts";
import { powerState } from "./vm_domain.ts";
import { findVm, readWorld, type VmConfig, type WorldConfig } from "./world_config.ts";

/** A call as the VM asked for it. */
export interface VmCall {
  readonly source: string;
  /** A name or a keyword as "@default", or nothing. */
  readonly target: string;
  /** "service" or "service+argument". */
  readonly service: string;
}

/** @returns the VM to connect to, or undefined for a refusal. */
export function decideCall(folder: string, call: VmCall): string | undefined {
  const world = readWorld(folder);
  try {
    const rules = loadPolicy(filesOnDisk(worldPaths(folder).dom0Root));
    const decision = decide(rules, systemInfo(folder, world), call);
    if (decision.verdict !== "allow") return undefined;
    const { target } = decision;
    return world.vms.find(({ name }, i) => name === target || `uuid:${uuidOf(i)}` === target)?.name;
  } catch (error) {
    if (error instanceof Refused) return undefined; // a mistake in a file refuses every call
    throw error;
  }
}

function systemInfo(folder: string, world: WorldConfig): SystemInfo {
  const vms = world.vms.map((vm, i) => [vm.name, domainOf(folder, world, vm, uuidOf(i))] as const);
  return { domains: { ...Object.fromEntries(vms), dom0: DOM0 } };
}

function domainOf(folder: string, world: WorldConfig, vm: VmConfig, uuid: string): Domain {
  const dispvm = findVm(world, vm.prefs["default_dispvm"] ?? "")?.name;
  return {
    tags: vm.tags,
    type: vm.klass,
    template_for_dispvms: vm.prefs["template_for_dispvms"] === "True",
    default_dispvm: dispvm ?? null,
    power_state: powerState(folder, vm.name),
    uuid,
    internal: vm.features["internal"] ?? null,
  };
}

/** Any will do that are not equal and stay as they are. */
function uuidOf(index: number): string {
  return `51313131-0000-4000-8000-${(index + 1).toString(16).padStart(12, "0")}`;
}

const DOM0: Domain = {
  tags: [],
  type: "AdminVM",
  template_for_dispvms: false,
  default_dispvm: null,
  power_state: "Running",
  uuid: "00000000-0000-0000-0000-000000000000",
};
