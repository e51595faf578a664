// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A few qubes in memory that the tools of Qubes change as the table says they do: properties, tags,
 * firewall rules, power. Strict: an operation that it does not know fails the test.
 *
 * @module
 */

import type { JsonValue } from "../../../dom0/operations/operation.ts";
import { recogniseWords } from "../../../dom0/operations/recognise.ts";
import type { Values } from "../../../dom0/operations/spelling.ts";
import type { UndoTools } from "../../../dom0/undo/run_undo.ts";

export interface Qube {
  memory: string;
  tags: string[];
  rules: Record<string, string>[];
  state: "Running" | "Halted";
}

export interface QubeModel {
  readonly qubes: Map<string, Qube>;
  readonly tools: UndoTools;
  /** Argument vectors that were run. */
  readonly ran: string[];
  /** Called before each run; may throw, or return what a tool says that fails. */
  onRun: (argv: readonly string[]) => string | null;
}

export function newQube(more: Partial<Qube> = {}): Qube {
  return { memory: "400", tags: [], rules: [{ action: "accept" }], state: "Halted", ...more };
}

export function createQubeModel(names: readonly string[]): QubeModel {
  const qubes = new Map(names.map((name) => [name, newQube()]));
  const ran: string[] = [];
  const model: QubeModel = {
    ...{ qubes, ran, onRun: () => null },
    tools: {
      read: (name, values) => Promise.resolve(readFrom(qubes, name, values)),
      run(argv) {
        const said = model.onRun(argv);
        if (said !== null) return Promise.resolve({ code: 1, said });
        const recognised = recogniseWords(argv);
        if (recognised === null) throw new Error(`no operation: ${argv.join(" ")}`);
        change(qubes, recognised.operation.name, recognised.values);
        ran.push(argv.join(" "));
        return Promise.resolve({ code: 0, said: "" });
      },
    },
  };
  return model;
}

function qubeOf(qubes: Map<string, Qube>, values: Values): Qube {
  const qube = qubes.get(String(values.get("vm")));
  if (qube === undefined) throw new Error(`no such domain: ${values.get("vm")}`);
  return qube;
}

function readFrom(qubes: Map<string, Qube>, name: string, values: Values): JsonValue {
  if (name === "vm.names") return [...qubes.keys()];
  const { memory, tags, rules, state } = qubeOf(qubes, values);
  switch (name) {
    case "vm.prefs.list":
      return { memory: { value: memory, isDefault: false } };
    case "vm.tags.list":
      return [...tags];
    case "vm.firewall.list":
      return structuredClone(rules);
    case "vm.info":
      return [{ state }];
    default:
      throw new Error(`the model cannot read ${name}`);
  }
}

function change(qubes: Map<string, Qube>, name: string, values: Values): void {
  if (name === "vm.create") return void qubes.set(String(values.get("vm")), newQube());
  const qube = qubeOf(qubes, values);
  const tag = String(values.get("tag"));
  switch (name) {
    case "vm.prefs.set":
      qube.memory = String(values.get("value"));
      break;
    case "vm.tags.add":
      qube.tags = [...new Set([...qube.tags, tag])];
      break;
    case "vm.tags.remove":
      qube.tags = qube.tags.filter((one) => one !== tag);
      break;
    case "vm.start":
      qube.state = "Running";
      break;
    case "vm.shutdown":
      qube.state = "Halted";
      break;
    case "vm.remove":
      qubes.delete(String(values.get("vm")));
      break;
    case "vm.firewall.reset":
      qube.rules = [{ action: "accept" }];
      break;
    case "vm.firewall.remove":
      qube.rules.splice(Number(values.get("rule_no")), 1);
      break;
    case "vm.firewall.add": {
      const { vm: _vm, before, dsthost, ...rule } = Object.fromEntries(values);
      const host = dsthost === undefined ? {} : { dst4: String(dsthost) };
      const at = before === undefined ? qube.rules.length : Number(before);
      const words = Object.entries(rule).map(([key, value]) => [key, String(value)]);
      qube.rules.splice(at, 0, { ...Object.fromEntries(words), ...host });
      break;
    }
    default:
      throw new Error(`the model cannot do ${name}`);
  }
}
