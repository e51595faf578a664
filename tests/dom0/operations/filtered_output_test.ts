// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { createFilteredOutput } from "../../../dom0/operations/filtered_output.ts";
import { OPERATIONS } from "../../../dom0/operations/table.ts";
import { createView } from "../../../dom0/operations/view.ts";
import { utf8 } from "../../../shared/protocol/bytes.ts";

const VIEW = createView({ hidden: new Set(["vault", "vault-web", "a.b", "x"]) });

function shown(name: string, out: string, err = ""): readonly [string, string] {
  const operation = OPERATIONS.get(name);
  if (operation === undefined) throw new Error(name);
  const output = createFilteredOutput(operation.result, VIEW);
  for (const byte of utf8(out)) output.push(1, new Uint8Array([byte])); // cut at every byte
  output.push(2, utf8(err));
  const { out: seen, err: said } = output.end(true);
  return [new TextDecoder().decode(seen), new TextDecoder().decode(said)];
}

Deno.test("what may be seen is printed as the tool prints it", () => {
  assertEquals(shown("vm.names", "vault\nwork\nvault-web\nx\n"), ["work\n", ""]);
  assertEquals(shown("vm.prefs.get", "größer\n"), ["größer\n", ""]);
  assertEquals(shown("vm.start", ""), ["", ""]);
});

Deno.test("hidden names in messages are replaced, and what only looks like them is not", () => {
  assertEquals(shown("vm.start", "", "qvm-start: vault-web is the netvm of 'vault'\n"), [
    "",
    "qvm-start: (not visible) is the netvm of '(not visible)'\n",
  ]);
  assertEquals(shown("vm.start", "", "no space: qubes_dom0/vm-vault-private, vaults, axb, a.b."), [
    "",
    "no space: qubes_dom0/vm-(not visible)-private, vaults, axb, (not visible).",
  ]);
});

Deno.test("what is not shaped as the table says is not shown", () => {
  const why = "qvm-remote-dom0: its output does not have the expected form and is not shown\n";
  assertEquals(shown("vm.list", "work|Running\nvault\n", "hm\n"), ["", `hm\n${why}`]);
});

Deno.test("as JSON it is the typed value, whole or without what is hidden", () => {
  const json = (name: string, text: string, isDone: boolean, view = true): readonly unknown[] => {
    const operation = OPERATIONS.get(name);
    if (operation === undefined) throw new Error(name);
    const output = createFilteredOutput(operation.result, view ? VIEW : null, "json");
    output.push(1, utf8(text));
    const { out, isUnreadable } = output.end(isDone);
    return [new TextDecoder().decode(out), isUnreadable];
  };
  assertEquals(json("vm.names", "vault\nwork\n", true), ['["work"]\n', false]);
  assertEquals(json("vm.names", "vault\nwork\n", true, false), ['["vault","work"]\n', false]);
  assertEquals(json("vm.start", "", true), ["{}\n", false]);
  assertEquals(json("vm.names", "", true), ["[]\n", false]);
  assertEquals(json("vm.names", "half\n", false), ["", false], "a failure has no value");
  assertEquals(json("vm.list", "work|Running\n", true), ["", true]);
});
