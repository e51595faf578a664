// SPDX-License-Identifier: GPL-2.0-or-later
/** The name of a qube, by the rule that qubesd itself uses. @module */

import { ProtocolError } from "./refusal.ts";

declare const brand: unique symbol;
/** A qube's name. Made only by parseVmName(). */
export type VmName = string & { readonly [brand]: "VmName" };

/** qubes.vm.validate_name in qubes-core-admin: at most 31 characters. */
export const MAX_VM_NAME_CHARS = 31;

const ALLOWED = /^[A-Za-z][A-Za-z0-9_.-]*$/;
/** qubesd keeps "-dm" for device-model stubdomains. */
const DEVICE_MODEL_SUFFIX = "-dm";
/** "none" and "default" mean something else in qvm-prefs; Domain-0 is Xen's name of dom0. */
const RESERVED: ReadonlySet<string> = new Set(["none", "default", "Domain-0", "dom0"]);

/**
 * A bad name is refused, not repaired. dom0 is refused too: it is never the far side here.
 *
 * @throws {ProtocolError} "bad-name"
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(parseVmName("work"), "work");
 * assertThrows(() => parseVmName("work\n"));
 * ```
 */
export function parseVmName(untrustedName: string): VmName {
  if (
    untrustedName.length > MAX_VM_NAME_CHARS || !ALLOWED.test(untrustedName) ||
    untrustedName.endsWith(DEVICE_MODEL_SUFFIX) || RESERVED.has(untrustedName)
  ) {
    throw new ProtocolError("bad-name", "not the name of a qube");
  }
  return untrustedName as VmName; // the only cast to VmName in the project
}
