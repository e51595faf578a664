// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../../shared/cli/program.ts";
import { SUB_COMMANDS } from "../../../../vm/remote/commands/cli_table.ts";
import { parseCommandLine, parseTimeout } from "../../../../vm/remote/commands/cli_words.ts";
import { subCommand } from "../../../../vm/remote/commands/table.ts";
import { helpText } from "../../../../vm/remote/commands/help.ts";

function parsed(...args: string[]): string {
  const line = parseCommandLine(args);
  const what = line.kind === "run" ? "run" : line.path;
  return `${what}: ${line.given.words.join(" ")}`;
}

Deno.test("parseCommandLine() tells commands, scripts and sub-commands apart", () => {
  assertEquals(parsed("qvm-ls", "-q"), "run: qvm-ls -q");
  assertEquals(parsed("-t", "5", "qvm-ls", "--json"), "run: qvm-ls --json");
  assertEquals(parsed("status"), "status: ");
  assertEquals(parsed("--", "status"), "run: status");
  assertEquals(parsed("--", "key", "gen"), "run: key gen");
  assertEquals(parsed("-c", "status"), "run: ");
  assertEquals(parsed("key", "import", "abc"), "key import: abc");
  assertEquals(parsed("queue"), "queue: ");
  assertEquals(parsed("history", "show", "x", "--json"), "history show: x");
  assertEquals(parsed("log", "-n", "3"), "log: ");
  assertEquals(parsed("op", "vm.info", "vm=work", "--json"), "op: vm.info vm=work");
  assertEquals(parsed("--why", "x", "op", "vm.list", "--explain"), "op: vm.list");
  assertEquals(parsed("ops"), "ops: ");
  assertEquals(parsed("plan", "--check", "x.yaml"), "plan: x.yaml");
  assertEquals(parsed("wait", "x", "-t", "5"), "wait: x");
  assertEquals(parsed("--", "wait"), "run: wait");
  assertEquals(parsed(), "run: ");
});

Deno.test("parseCommandLine() refuses what does not fit, and says what", () => {
  const cases: readonly (readonly [args: string[], message: string])[] = [
    [["--frob", "x"], "unknown option: --frob"],
    [["-t"], "-t requires a value"],
    [["key"], "key requires: gen | show | import | fingerprint"],
    [["key", "frob"], 'unknown key command: "frob"'],
    [["queue", "frob"], 'unknown queue command: "frob"'],
    [["ping", "x"], "unexpected word: x"],
    [["-t", "5", "key", "show"], "--timeout does not go with key show"],
    [["--json", "status", "--json"], "--json is given twice"],
    [["history", "show"], "too few words"],
    [["op"], "too few words"],
    [["plan"], "too few words"],
    [["wait"], "too few words"],
    [["ops", "x"], "unexpected word: x"],
    [["--explain", "wait", "x"], "--explain does not go with wait"],
    [["--check", "x"], "unknown option: --check"],
  ];
  for (const [args, message] of cases) {
    assertThrows(() => parseCommandLine(args), UsageError, message);
  }
});

Deno.test("a word one edit away from a sub-command does not run in dom0", () => {
  const cases: readonly (readonly [args: string[], meant: string])[] = [
    [["stauts"], "status"],
    [["pign"], "ping"],
    [["queu"], "queue"],
    [["logg"], "log"],
    [["ket"], "key"],
    [["hsitory"], "history"],
    [["hlep"], "help"],
    [["verison"], "version"],
    [["stauts", "--json"], "status"],
    [["-v", "stauts"], "status"],
    [["keu", "gen"], "key gen"],
    [["oops"], "ops"],
    [["osp", "--json"], "ops"],
    [["paln", "x.yaml"], "plan"],
    [["wati", "20261122-091500-4242-a1b2c3d4"], "wait"],
    [["po", "vm.list"], "op"],
    [["opp", "vm.start", "vm=work", "--json"], "op"],
    [["hsitory", "show", "x"], "history show"],
  ];
  for (const [args, meant] of cases) {
    const error = assertThrows(() => parseCommandLine(args), UsageError, "no sub-command: ");
    assertEquals(error.hints[0], `did you mean "qvm-remote ${meant}"?`);
  }
  assertEquals(parsed("--", "stauts"), "run: stauts");
  assertEquals(parsed("-c", "stauts"), "run: ");
  assertEquals(parsed("fping", "sys-net"), "run: fping sys-net");
  assertEquals(parsed("cp", "vm.list", "x"), "run: cp vm.list x");
  assertEquals(parsed("ip", "addr"), "run: ip addr");
  assertEquals(parsed("wall", "hello"), "run: wall hello");
  for (
    const word of ["ls", "who", "stat", "stats now", "qvm-ls", "lsblk", "w", "id", "ps", "top -b"]
  ) {
    assertEquals(parsed(word), `run: ${word}`);
  }
});

Deno.test('"help" and "version" alone are no commands', () => {
  for (const word of ["help", "version"]) {
    const { given } = parseCommandLine([word]);
    assertEquals([given.has(word), given.words], [true, []]);
    assertEquals(parsed("--", word), `run: ${word}`);
  }
});

Deno.test("parseTimeout() takes whole seconds, and refuses in the words of the original", () => {
  const timeout = (text: string) =>
    parseTimeout(parseCommandLine(["-t", text, "x"]).given, 300_000);
  assertEquals(timeout("7"), 7000);
  assertEquals(parseTimeout(parseCommandLine(["x"]).given, 60_000), 60_000);
  assertThrows(() => timeout("abc"), UsageError, "-t requires an integer, got: abc");
  assertThrows(() => timeout("1.5"), UsageError, "-t requires an integer, got: 1.5");
  assertThrows(() => timeout("0"), UsageError, "-t must be a positive integer");
  assertThrows(() => timeout("-5"), UsageError, "-t must be a positive integer");
  assertThrows(() => timeout("86401"), UsageError, "at most 86400 seconds");
});

Deno.test("every sub-command of the table has its code and its line in the help", () => {
  const help = helpText();
  for (const { path } of SUB_COMMANDS) {
    subCommand(path);
    assertEquals(help.includes(`  ${path} `), true, path);
  }
});
