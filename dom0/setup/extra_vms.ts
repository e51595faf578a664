// SPDX-License-Identifier: GPL-2.0-or-later
/** The VMs beside the agent VM that the command line may ask for. @module */

import type { ParsedWords } from "../../shared/cli/options.ts";
import { UsageError } from "../../shared/cli/program.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { type NetvmChoice, netvmName, optional, vmName } from "./vm_words.ts";

export interface AdminRequest {
  readonly vm: VmName;
  readonly template: VmName | undefined;
  readonly netvm: NetvmChoice;
}

/** A VM that has the proxy, the keys and the network, so that the agent VM needs none of them. */
export interface KeyQubeRequest {
  readonly vm: VmName;
  readonly template: VmName | undefined;
  /** undefined: unchanged, or this system's default for a new VM. */
  readonly netvm: NetvmChoice | undefined;
}

/** @throws {UsageError} */
export function parseAdmin(options: ParsedWords): AdminRequest | undefined {
  const name = options.value("admin-vm");
  if (name === undefined) {
    return refuseAlone(options, "admin-vm", ["admin-template", "admin-netvm"]);
  }
  return {
    vm: vmName("--admin-vm", name),
    template: optional(options.value("admin-template"), (text) => vmName("--admin-template", text)),
    netvm: netvmName("--admin-netvm", options.value("admin-netvm") ?? "none"),
  };
}

/** @throws {UsageError} */
export function parseKeyQube(options: ParsedWords): KeyQubeRequest | undefined {
  const name = options.value("key-qube");
  if (name === undefined) {
    return refuseAlone(options, "key-qube", ["key-template", "key-netvm"]);
  }
  return {
    vm: vmName("--key-qube", name),
    template: optional(options.value("key-template"), (text) => vmName("--key-template", text)),
    netvm: optional(options.value("key-netvm"), (text) => netvmName("--key-netvm", text)),
  };
}

function refuseAlone(options: ParsedWords, main: string, others: readonly string[]): undefined {
  for (const needs of others) {
    if (options.has(needs)) throw new UsageError(`--${needs} goes with --${main} only`);
  }
}
