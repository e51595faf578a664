// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What an operation would change, before it runs: what to read, which part of it will change, and to
 * what. For an operation that ends a qube or removes its data: what exists and will be gone.
 *
 * @module
 */

import type { JsonValue } from "./operation.ts";
import type { Value } from "./parameter.ts";
import type { Recognised } from "./recognise.ts";
import type { Values } from "./spelling.ts";
import { CHANGES } from "./undo.ts";

export interface Outlook {
  /** For people: what the value is of. */
  readonly what: string;
  /** The operation that reads it, with its values. */
  readonly reads: string;
  readonly values: Values;
  readonly part: (read: JsonValue) => JsonValue;
  /** undefined: not known. */
  readonly after: (before: JsonValue) => JsonValue | undefined;
}

/** @returns none for an operation that only reads, or whose effect is not known */
export function outlookOf(
  { operation, values }: Pick<Recognised, "operation" | "values">,
): Outlook[] {
  const change = CHANGES.get(operation.name);
  const changed: Outlook[] = change === undefined ? [] : [{
    what: nameOfChange(change.reads, values),
    reads: change.reads,
    values: onlyWho(values, change.reads),
    part: (read) => change.part(read, values),
    after: (before) => AFTER.get(operation.name)?.(before, values),
  }];
  const lost = LOSES.get(operation.name)?.(values) ?? [];
  return [...changed, ...lost];
}

/** "memory of work", "tag lab of work". */
function nameOfChange(reads: string, values: Values): string {
  const of = values.has("vm") ? ` of ${text(values, "vm")}` : "";
  switch (reads) {
    case "vm.names":
      return `whether there is ${
        values.get("new_vm") ?? values.get("vm") ?? values.get("template")
      }`;
    case "device.list":
      return `who has ${text(values, "device")}`;
    case "vm.features.list":
      return `feature ${text(values, "feature")}${of}`;
    case "vm.tags.list":
      return `tag ${text(values, "tag")}${of}`;
    case "vm.services.list":
      return `service ${text(values, "service")}${of}`;
    case "vm.info":
      return `state${of}`;
    case "vm.firewall.list":
      return `firewall${of}`;
    case "vm.notes.get":
      return `notes${of}`;
    default:
      return `${text(values, "property")}${of}`;
  }
}

/** A reading operation takes the qube, or the class of device, that the other one is about. */
function onlyWho(values: Values, reads: string): Values {
  const wanted = reads === "device.list" ? ["device_class"] : reads === "vm.names" ? [] : ["vm"];
  return new Map([...values].filter(([key]) => wanted.includes(key)));
}

type After = (before: JsonValue, values: Values) => JsonValue | undefined;

const setTo: After = (_before, values) => text(values, "value");
const always = (value: JsonValue): After => () => value;

const AFTER: ReadonlyMap<string, After> = new Map<string, After>([
  ...["vm.prefs.set", "system.prefs.set"].map((name): [string, After] => [
    name,
    (_before, values) => ({ value: text(values, "value"), isDefault: false }),
  ]),
  ["vm.features.set", setTo],
  ["vm.features.reset", always(null)],
  ["vm.tags.add", always(true)],
  ["vm.tags.remove", always(false)],
  ["vm.services.enable", always("on")],
  ["vm.services.disable", always("off")],
  ["vm.services.reset", always(null)],
  ["vm.notes.set", (_before, values) => text(values, "notes")],
  ["vm.start", always("Running")],
  ["vm.shutdown", always("Halted")],
  ["vm.kill", always("Halted")],
  ["vm.pause", always("Paused")],
  ["vm.unpause", always("Running")],
  ["vm.firewall.add", ruleAdded],
  ["vm.firewall.remove", ruleRemoved],
  ["vm.firewall.reset", always([{ action: "accept" }])],
  ["device.attach", (_before, values) => text(values, "vm")],
  ["device.detach", always(null)],
  ["vm.create", always(true)],
  ["vm.clone", always(true)],
  ["vm.rename", always(true)],
  ["template.install", always(true)],
]);

function ruleAdded(before: JsonValue, values: Values): JsonValue | undefined {
  if (!Array.isArray(before)) return undefined;
  const rule = Object.fromEntries([...values].filter(([key]) => key !== "vm" && key !== "before"));
  const at = values.get("before");
  return before.toSpliced(typeof at === "number" ? at : before.length, 0, rule);
}

function ruleRemoved(before: JsonValue, values: Values): JsonValue | undefined {
  return Array.isArray(before) ? before.toSpliced(Number(values.get("rule_no")), 1) : undefined;
}

/** What exists now and will be gone. */
const LOSES: ReadonlyMap<string, (values: Values) => readonly Outlook[]> = new Map([
  ["vm.remove", (values) => [
    info(values),
    lastStart(values),
    ...VOLUMES.map((volume) => used(values, volume)),
    revisions(values, "private"),
  ]],
  ["vm.rename", (values) => [info(values)]],
  ["vm.restart", (values) => [{ ...info(values), after: () => undefined }]],
  ["volume.revert", (values) => [revisions(values, text(values, "volume"))]],
  ["volume.resize", size],
]);

/** That outlast a shutdown: of a template and a standalone qube both. */
const VOLUMES = ["root", "private"];

function used(values: Values, volume: string): Outlook {
  return {
    ...revisions(values, volume),
    what: `bytes used by ${text(values, "vm")}:${volume}`,
    values: new Map<string, Value>([
      ["vm", text(values, "vm")],
      ["volume", volume],
      ["property", "usage"],
    ]),
    part: (read) => Array.isArray(read) ? read[0] ?? null : read,
  };
}

function info(values: Values): Outlook {
  const vm = text(values, "vm");
  return {
    what: `the qube ${vm}`,
    reads: "vm.info",
    values: new Map<string, Value>([["vm", vm]]),
    part: (read) => Array.isArray(read) ? read[0] ?? null : read,
    after: () => null,
  };
}

/**
 * The start time is in Xen's store, only while the qube runs (start_time, qubesvm.py in
 * qubes-core-admin). Qubes keeps no such date for a halted qube; the revisions of its volumes come
 * nearest.
 */
function lastStart(values: Values): Outlook {
  const vm = text(values, "vm");
  return {
    what: `last start of ${vm}`,
    reads: "vm.prefs.get",
    values: new Map<string, Value>([["vm", vm], ["property", "start_time"]]),
    part: (read) => dateOf(String(read)) ?? "not known to Qubes while it is halted",
    after: () => undefined,
  };
}

/** @param seconds since 1970, decimal */
function dateOf(seconds: string): string | null {
  return /^[0-9]{1,11}(\.[0-9]+)?$/.test(seconds)
    ? new Date(Number(seconds) * 1000).toISOString()
    : null;
}

/** One for each of its last shutdowns. A thin volume's are named after their second (lvm.py). */
function revisions(values: Values, volume: string): Outlook {
  const vm = text(values, "vm");
  return {
    what: `states of ${vm}:${volume} from its last shutdowns`,
    reads: "volume.info",
    values: new Map<string, Value>([["vm", vm], ["volume", volume], ["property", "revisions"]]),
    part: (read) => Array.isArray(read) ? read.map((name) => withDate(String(name))) : read,
    after: () => undefined,
  };
}

function withDate(revision: string): string {
  const date = dateOf(/^([0-9]+)-back$/.exec(revision)?.[1] ?? "");
  return date === null ? revision : `${revision} (${date})`;
}

function size(values: Values): readonly Outlook[] {
  const volume = text(values, "volume");
  return [{
    ...revisions(values, volume),
    what: `bytes of ${text(values, "vm")}:${volume}`,
    values: new Map([
      ...[...values].filter(([key]) => key === "vm" || key === "volume"),
      ["property", "size"] as const,
    ]),
    part: (read) => Array.isArray(read) ? read[0] ?? null : read,
    after: () => text(values, "bytes"),
  }];
}

function text(values: Values, name: string): string {
  return String(values.get(name));
}
