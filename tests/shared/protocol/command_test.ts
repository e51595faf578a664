// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { utf8 } from "../../../shared/protocol/bytes.ts";
import {
  type Command,
  describeCommand,
  encodeCommand,
  parseCommand,
} from "../../../shared/protocol/command.ts";
import type { Mode } from "../../../shared/protocol/envelope.ts";
import { inputBytes, plain, testVectors, type Vector, verdict } from "./vectors.ts";

interface CommandVector extends Vector {
  readonly mode: Mode;
  readonly inputHex: string;
  readonly argv?: readonly string[];
  /** Of an operation or a plan: all of the value but its mode. */
  readonly command?: unknown;
}

testVectors<CommandVector>("command", (vector) => {
  const body = inputBytes(vector);
  assertEquals(verdict(() => parseCommand(vector.mode, body)), vector.expect);
  if (vector.expect !== "ok") return;
  const command = parseCommand(vector.mode, body);
  assertEquals(command.mode, vector.mode);
  assertEquals(plain(encodeCommand(command)), plain(body), "there and back");
  const { mode: _mode, ...meaning } = command;
  if (command.mode === "script") assertEquals(plain(command.script), plain(body), "not changed");
  else assertEquals(meaning, vector.command ?? { argv: vector.argv });
});

Deno.test("an argv keeps the borders of its words", () => {
  const bodies = [["a b"], ["a", "b"], ["a", "", "b"], ["ab"]].map(([program = "", ...args]) =>
    plain(encodeCommand({ mode: "argv", argv: [program, ...args] }))
  );
  assertEquals(new Set(bodies).size, 4);
});

Deno.test("describeCommand() gives one text for a log, however long the command", () => {
  const argv: Command = { mode: "argv", argv: ["qvm-ls", "-q"] };
  assertEquals(describeCommand(argv), "qvm-ls -q");
  assertEquals(describeCommand({ mode: "script", script: utf8("true\n\n") }), "true");
  const long = describeCommand({ mode: "script", script: utf8("x".repeat(1_000_000)) });
  assertEquals(long.length, 2048);
  const operation = parseCommand("op", utf8("vm.run\0vm=work\0command=ls -l\0"));
  assertEquals(describeCommand(operation), "vm.run vm=work 'command=ls -l'");
  assertEquals(describeCommand({ mode: "plan", text: "{}\n" }), "{}");
  const odd = describeCommand({ mode: "script", script: new Uint8Array([0xff, 0x61]) });
  assertEquals(odd, "\ufffda", "bytes that are not text do not throw");
});
