// SPDX-License-Identifier: GPL-2.0-or-later
/** Wanted facts of the usual kinds, in one word each. Pure. @module */

import type { VmName } from "../../shared/protocol/vm_name.ts";
import { type Fact, type Wanted, YES } from "./fact.ts";

/** The VM is there. */
export function creation(
  vm: VmName,
  how: { class: "AppVM" | "StandaloneVM"; label: string; template: VmName | undefined },
  why: string,
): readonly Wanted[] {
  return [want({ kind: "vm", vm, ...how }, YES, why)];
}

export function tags(vm: VmName, whys: Readonly<Record<string, string>>): readonly Wanted[] {
  return Object.entries(whys).map(([name, why]) => want({ kind: "tag", vm, name }, YES, why));
}

export function features(vm: VmName, values: Readonly<Record<string, string>>): readonly Wanted[] {
  return Object.entries(values).map(([name, value]) =>
    want({ kind: "feature", vm, name }, value, "for tools that ask qubesd")
  );
}

export function service(vm: VmName, name: string, to: "on" | "off" = "on"): Wanted {
  const why = to === "on" ? "its unit may start" : "its unit does not start";
  return want({ kind: "service", vm, name }, to, why);
}

export function want(fact: Fact, to: string, why: string): Wanted {
  return { fact, to, why };
}
