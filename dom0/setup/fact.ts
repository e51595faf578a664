// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The things that setup changes, as data. A fact is one place that has one value; null is "as
 * if nobody had set it" (the default, absent, off). From a fact and two values follow the
 * commands that lead from one to the other, so doing and undoing are the same function:
 *
 *     do:    commandsFor(fact, before, wanted)
 *     undo:  commandsFor(fact, wanted, before)
 *
 * The options of each tool are those of qubesadmin/tools in qubes-core-admin-client.
 *
 * @module
 */

import type { VmName } from "../../shared/protocol/vm_name.ts";
import type { WantedOf } from "../../shared/setup/engine.ts";
import type { Value } from "../../shared/setup/record.ts";
import type { Command } from "../../shared/setup/tools.ts";
import { blockScript } from "./vm_block.ts";

export type { Command, Value };

export type VmClass = "AppVM" | "StandaloneVM";

export type Fact =
  | {
    readonly kind: "vm";
    readonly vm: VmName;
    readonly class: VmClass;
    /** Not there: the default of this Qubes. */
    readonly template?: VmName | undefined;
    readonly label: string;
  }
  | { readonly kind: "pref"; readonly vm: VmName; readonly name: string }
  | { readonly kind: "tag"; readonly vm: VmName; readonly name: string }
  | { readonly kind: "feature"; readonly vm: VmName; readonly name: string }
  | { readonly kind: "service"; readonly vm: VmName; readonly name: string }
  | { readonly kind: "firewall"; readonly vm: VmName }
  | {
    readonly kind: "file";
    readonly path: string;
    readonly mode: number;
    /** The unit that reads it at its start; empty: none. */
    readonly reader: string;
  }
  | { readonly kind: "enabled"; readonly unit: string }
  | { readonly kind: "active"; readonly unit: string }
  | {
    readonly kind: "block";
    readonly vm: VmName;
    readonly path: string;
    /** Lines of shell, run when the VM starts; each ends with a line feed. */
    readonly text: string;
    /** Lines of shell that end what the block did while the VM ran. */
    readonly cleanup: string;
  };

/** The value of facts that only exist or do not. */
export const YES = "yes";
/** A block between our marks that is not the one asked about. */
export const OTHER = "other";

export type Wanted = WantedOf<Fact>;

/** Names the place, whatever its value: two facts with one key are the same place. */
export function factKey(fact: Fact): string {
  switch (fact.kind) {
    case "vm":
    case "firewall":
      return `${fact.kind} ${fact.vm}`;
    case "file":
      return `file ${fact.path}`;
    case "enabled":
    case "active":
      return `${fact.kind} ${fact.unit}`;
    case "block":
      return `block ${fact.vm} ${fact.path}`;
    default:
      return `${fact.kind} ${fact.vm} ${fact.name}`;
  }
}

/** The VM that has to exist for the fact to have a value; undefined: a fact of dom0. */
export function vmOf(fact: Fact): VmName | undefined {
  return "vm" in fact ? fact.vm : undefined;
}

/** This program writes files itself; a plan shows them as commands. */
export function commandsFor(fact: Fact, from: Value, to: Value): readonly Command[] {
  switch (fact.kind) {
    case "vm":
      return to === null ? removeVm(fact.vm) : [createVm(fact)];
    case "pref":
      return [
        to === null
          ? run("qvm-prefs", "--default", fact.vm, fact.name)
          : run("qvm-prefs", fact.vm, fact.name, to),
      ];
    case "tag":
      return [run("qvm-tags", fact.vm, to === null ? "del" : "add", fact.name)];
    case "feature":
      return [
        to === null
          ? run("qvm-features", "--unset", fact.vm, fact.name)
          : run("qvm-features", fact.vm, fact.name, to),
      ];
    case "service":
      return [
        to === null
          ? run("qvm-service", "--unset", fact.vm, fact.name)
          : run("qvm-service", fact.vm, fact.name, to),
      ];
    case "firewall":
      return [dropFirst(fact.vm, to)];
    case "file":
      return [...fileCommands(fact.path, from, to), ...restart(fact.reader)];
    case "enabled":
      return [run("systemctl", to === null ? "disable" : "enable", fact.unit)];
    case "active":
      return [run("systemctl", to === null ? "stop" : "start", fact.unit)];
    case "block":
      return [{
        argv: ["qvm-run", "--pass-io", "--no-gui", "--user", "root", fact.vm, "exec sh -s"],
        input: blockScript(to === null ? "take" : "put", fact),
      }];
  }
}

/** Looks into a running VM; its exit code is the answer, what it prints is not read. */
export function lookAtBlock(fact: Fact & { kind: "block" }): Command {
  return {
    argv: [
      "qvm-run",
      "--pass-io",
      "--no-gui",
      "--no-autostart",
      "--user",
      "root",
      fact.vm,
      "exec sh -s",
    ],
    input: blockScript("look", fact),
  };
}

export const startVm = (vm: VmName): Command => run("qvm-start", "--skip-if-running", vm);
export const shutDownVm = (vm: VmName): Command => run("qvm-shutdown", "--wait", vm);

function createVm({ vm, class: klass, template, label }: Fact & { kind: "vm" }): Command {
  const from = template === undefined ? [] : ["--template", template];
  return run("qvm-create", "--class", klass, ...from, "--label", label, vm);
}

function removeVm(vm: VmName): readonly Command[] {
  return [shutDownVm(vm), run("qvm-remove", "--force", vm)];
}

/** The first rule that fits counts: one "drop" before all others is a closed firewall, with no
 * moment in between at which it is open, and the rules that were there stay for undo. */
function dropFirst(vm: VmName, to: Value): Command {
  return to === null
    ? run("qvm-firewall", vm, "del", "--rule-no", "0")
    : run("qvm-firewall", vm, "add", "--before", "0", "action=drop");
}

/** Where a file that stood in the way is kept. It matches neither "*.policy" nor "*.conf". */
export const savedPath = (path: string): string => `${path}.before-setup`;

function fileCommands(path: string, from: Value, to: Value): readonly Command[] {
  if (to === null) return [run("rm", "--", path)];
  const save: Command[] = from === null ? [] : [run("ln", "--", path, savedPath(path))];
  return [...save, { argv: ["tee", "--", path], input: to }];
}

/** Shows what undo does with a file that was put aside. */
export function takeBackCommands(path: string, reader: string): readonly Command[] {
  return [run("mv", "--", savedPath(path), path), ...restart(reader)];
}

/** A unit that is not running is left alone. */
export function restart(unit: string): readonly Command[] {
  return unit === "" ? [] : [run("systemctl", "try-restart", unit)];
}

function run(program: string, ...args: readonly string[]): Command {
  return { argv: [program, ...args] };
}
