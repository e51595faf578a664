// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What the earlier steps of a plan will have left when a later one runs, as far as that can be said
 * before any of them has run. Where two steps say something of the same, the later one counts. What
 * cannot be said is known only after a step, which is named. Pure.
 *
 * @module
 */

import type { JsonValue } from "../operations/operation.ts";
import type { Outlook } from "../operations/outlook.ts";
import type { Values } from "../operations/spelling.ts";
import type { PlanStep } from "../plans/plan.ts";

/** Of what a step changes; `by` is the number of the earlier step that brings it about. */
export type Foreseen =
  /** No step before touches it. */
  | { readonly kind: "now" }
  | { readonly kind: "left"; readonly by: number; readonly value: JsonValue }
  | { readonly kind: "open"; readonly by: number }
  /** Its qube is removed. */
  | { readonly kind: "gone"; readonly by: number };

export interface Foresight {
  /** Before it is read. */
  look(outlook: Outlook): Foreseen;
  /** What was read now, with what steps before change in it. */
  amend(outlook: Outlook, read: JsonValue): Foreseen;
  /** @param left what it leaves of each part that it changes; undefined: nobody can say */
  took(step: PlanStep, left: ReadonlyMap<string, JsonValue | undefined>): void;
}

type Later = Exclude<Foreseen, { readonly kind: "now" }>;
const NOW: Foreseen = { kind: "now" };

interface Notes {
  /** By what an outlook is of. */
  readonly parts: Map<string, Later>;
  /** Qubes that are made or removed. */
  readonly qubes: Map<string, Later>;
  /** What is read by an operation, of a qube or of all, by `about`. */
  readonly unsure: Map<string, Later>;
}

const ANYTHING = "anything";
const DEFAULTS = "defaults";

export function createForesight(): Foresight {
  const notes: Notes = { parts: new Map(), qubes: new Map(), unsure: new Map() };
  const { parts, qubes, unsure } = notes;
  return {
    look({ what, reads, values }) {
      const vm = String(values.get("vm") ?? "");
      const known = [
        parts.get(what),
        qubes.get(vm),
        unsure.get(about(reads, vm)),
        unsure.get(ANYTHING),
      ];
      return latest(known) ?? NOW;
    },
    amend({ reads, values }, read) {
      const defaults = unsure.get(DEFAULTS);
      const { isDefault } = fieldsOf(read) ?? {};
      if (isDefault === true && defaults !== undefined) return defaults;
      return reads === "vm.info" ? amendQube(String(values.get("vm")), read, parts) : NOW;
    },
    took(step, left) {
      const { number: by, operation: { level, name }, words, known } = step;
      if (level === "monitor") return;
      for (const [what, value] of left) {
        parts.set(what, value === undefined ? { kind: "open", by } : { kind: "left", by, value });
      }
      const mayBeAnything = level === "full" || words.size > known.size;
      if (mayBeAnything) unsure.set(ANYTHING, { kind: "open", by });
      else note(name, known, by, notes);
    },
  };
}

function about(reads: string, vm: string): string {
  return `${reads} ${vm}`;
}

/** Of steps alike the first of the list. */
function latest(known: readonly (Later | undefined)[]): Later | undefined {
  return known.reduce((last, one) => (one?.by ?? 0) > (last?.by ?? 0) ? one : last, undefined);
}

/** What an operation changes besides its main part. */
function note(operation: string, values: Values, by: number, notes: Notes): void {
  const text = (key: string): string => String(values.get(key) ?? "");
  const vm = text("vm");
  switch (operation) {
    case "vm.create":
      return made(vm, by, notes, ["label", "template"].filter((key) => values.has(key)), text);
    case "vm.clone":
      return made(text("new_vm"), by, notes);
    case "template.install":
      return made(text("template"), by, notes);
    case "vm.rename":
      removed(vm, by, notes);
      return made(text("new_vm"), by, notes);
    case "vm.remove":
      return removed(vm, by, notes);
    case "vm.restart":
      notes.parts.set(`state of ${vm}`, { kind: "left", by, value: "Running" });
      return moved(vm, by, notes);
    case "vm.start":
    case "vm.shutdown":
    case "vm.kill":
      return moved(vm, by, notes);
    case "volume.revert":
      return void notes.unsure.set(about("volume.info", vm), { kind: "open", by });
    case "vm.prefs.set":
    case "vm.prefs.reset":
      if (values.get("property") !== "template") return;
      return void notes.unsure.set(DEFAULTS, { kind: "open", by });
    case "system.prefs.set":
    case "system.prefs.reset":
      return void notes.unsure.set(DEFAULTS, { kind: "open", by });
  }
}

/** @param set the properties that it is made with, by `text` */
function made(
  vm: string,
  by: number,
  { parts, qubes }: Notes,
  set: readonly string[] = [],
  text: (key: string) => string = String,
): void {
  qubes.set(vm, { kind: "open", by });
  parts.set(whether(vm), { kind: "left", by, value: true });
  parts.set(`state of ${vm}`, { kind: "left", by, value: "Halted" });
  for (const key of set) {
    const value = { value: text(key), isDefault: false };
    parts.set(`${key} of ${vm}`, { kind: "left", by, value });
  }
}

function removed(vm: string, by: number, { parts, qubes }: Notes): void {
  for (const [what, part] of parts) if (part.by === by) parts.delete(what); // it says more: all is gone
  qubes.set(vm, { kind: "gone", by });
  parts.set(whether(vm), { kind: "left", by, value: false });
}

function whether(vm: string): string {
  return `whether there is ${vm}`;
}

/** It starts or ends: then devices go, and its volumes keep another state. */
function moved(vm: string, by: number, { unsure }: Notes): void {
  for (
    const key of [about("vm.prefs.get", vm), about("volume.info", vm), about("device.list", "")]
  ) {
    unsure.set(key, { kind: "open", by });
  }
}

/** The row of a qube has the values of its properties in it. */
function amendQube(vm: string, read: JsonValue, parts: Notes["parts"]): Foreseen {
  const fields = Object.entries(fieldsOf(read) ?? {});
  const changed = fields.flatMap(([key]) => parts.get(`${key} of ${vm}`) ?? []);
  const last = latest(changed);
  if (last === undefined) return NOW;
  const value = fields.map(([key, now]) => [key, valueIn(parts.get(`${key} of ${vm}`), now)]);
  return { kind: "left", by: last.by, value: Object.fromEntries(value) };
}

function valueIn(part: Later | undefined, now: JsonValue): JsonValue {
  if (part === undefined) return now;
  if (part.kind !== "left") return `known only after step ${part.by}`;
  return fieldsOf(part.value)?.["value"] ?? part.value;
}

function fieldsOf(value: JsonValue): Readonly<Record<string, JsonValue>> | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  return value as Readonly<Record<string, JsonValue>>; // what is left of JsonValue
}
