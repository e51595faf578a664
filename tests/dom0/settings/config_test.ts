// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";
import {
  type Config,
  CONFIG_ENVIRONMENT,
  DEFAULT_CONFIG,
  parseConfig,
  withVmList,
} from "../../../dom0/settings/config.ts";

const vms = (...names: readonly string[]): Partial<Config> => ({ vms: names.map(parseVmName) });

interface Good {
  readonly name: string;
  readonly text: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly expect: Partial<Config>;
}

const GOOD: readonly Good[] = [
  { name: "no file", text: "", expect: {} },
  { name: "comments and empty lines", text: "# QVM_REMOTE_VMS=\n\n  \n\t# x\n", expect: {} },
  { name: "one VM, bare", text: "QVM_REMOTE_VMS=work", expect: vms("work") },
  { name: "double quotes", text: 'QVM_REMOTE_VMS="work lab"\n', expect: vms("work", "lab") },
  { name: "single quotes", text: "QVM_REMOTE_VMS='work lab'\n", expect: vms("work", "lab") },
  { name: "bare list", text: "QVM_REMOTE_VMS=work lab\n", expect: vms("work", "lab") },
  { name: "blanks and tabs", text: 'QVM_REMOTE_VMS="  work\t lab "', expect: vms("work", "lab") },
  { name: "a name twice", text: "QVM_REMOTE_VMS=work lab work", expect: vms("work", "lab") },
  { name: "an empty list", text: 'QVM_REMOTE_VMS=""\n', expect: vms() },
  { name: "nothing after =", text: "QVM_REMOTE_VMS=\n", expect: vms() },
  { name: "indented", text: "   QVM_REMOTE_VMS=work  ", expect: vms("work") },
  {
    name: "CR LF",
    text: "QVM_REMOTE_VMS=work\r\nQVM_REMOTE_PARALLEL=2\r\n",
    expect: { ...vms("work"), parallel: 2 },
  },
  // F22: the original made VMs "#" and "note" of this.
  { name: "a note behind a bare value", text: "QVM_REMOTE_VM=vm # note", expect: vms("vm") },
  {
    name: "a note behind a quoted value",
    text: 'QVM_REMOTE_VMS="work"  # it\'s "x"',
    expect: vms("work"),
  },
  { name: "alias QUBES_REMOTE_VMS", text: "QUBES_REMOTE_VMS=a b", expect: vms("a", "b") },
  { name: "alias QUBES_REMOTE_VM", text: "QUBES_REMOTE_VM=a", expect: vms("a") },
  {
    name: "of four names the first of the table wins, not the first line",
    text: "QUBES_REMOTE_VM=d\nQVM_REMOTE_VM=c\nQUBES_REMOTE_VMS=b\nQVM_REMOTE_VMS=a\n",
    expect: vms("a"),
  },
  {
    name: "of three names the second of the table wins",
    text: "QUBES_REMOTE_VM=d\nQVM_REMOTE_VM=c\nQUBES_REMOTE_VMS=b\n",
    expect: vms("b"),
  },
  {
    name: "of two names the third of the table wins",
    text: "QUBES_REMOTE_VM=d\nQVM_REMOTE_VM=c",
    expect: vms("c"),
  },
  {
    name: "the environment wins over the file",
    text: "QVM_REMOTE_VMS=file\nQVM_REMOTE_PARALLEL=2\n",
    environment: { QVM_REMOTE_VMS: "env", QVM_REMOTE_PARALLEL: "3" },
    expect: { ...vms("env"), parallel: 3 },
  },
  {
    name: "even the environment's last alias wins over the file's first name",
    text: "QVM_REMOTE_VMS=file\n",
    environment: { QUBES_REMOTE_VM: "env" },
    expect: vms("env"),
  },
  {
    name: "the environment's order is the table's",
    text: "",
    environment: { QUBES_REMOTE_VM: "d", QVM_REMOTE_VM: "c", QUBES_REMOTE_VMS: "b" },
    expect: vms("b"),
  },
  {
    name: "the environment leaves the other keys of the file",
    text: "QVM_REMOTE_VM_USER=user\nQVM_REMOTE_MAX_TIMEOUT=5\n",
    environment: { QVM_REMOTE_VM_USER: "root" },
    expect: { vmUser: "root", maxTimeoutMs: 5000 },
  },
  { name: "user", text: "QVM_REMOTE_VM_USER=_an-User_9", expect: { vmUser: "_an-User_9" } },
  { name: "shortest timeout", text: "QVM_REMOTE_MAX_TIMEOUT=1", expect: { maxTimeoutMs: 1000 } },
  {
    name: "longest timeout",
    text: "QVM_REMOTE_MAX_TIMEOUT=86400",
    expect: { maxTimeoutMs: 86_400_000 },
  },
  { name: "least output", text: "QVM_REMOTE_MAX_OUTPUT=1024", expect: { maxOutputBytes: 1024 } },
  {
    name: "most output",
    text: "QVM_REMOTE_MAX_OUTPUT=1073741824",
    expect: { maxOutputBytes: 2 ** 30 },
  },
  { name: "one process", text: "QVM_REMOTE_MAX_PROCESSES=1", expect: { maxProcesses: 1 } },
  {
    name: "most processes",
    text: "QVM_REMOTE_MAX_PROCESSES='32768'",
    expect: { maxProcesses: 32768 },
  },
  {
    name: "least memory",
    text: "QVM_REMOTE_MAX_MEMORY=16777216",
    expect: { maxMemoryBytes: 2 ** 24 },
  },
  {
    name: "most memory",
    text: "QVM_REMOTE_MAX_MEMORY=1099511627776",
    expect: { maxMemoryBytes: 2 ** 40 },
  },
  {
    name: "both limits of all commands, the least",
    text: "QVM_REMOTE_TOTAL_PROCESSES=1\nQVM_REMOTE_TOTAL_MEMORY=16777216",
    expect: { maxTotalProcesses: 1, maxTotalMemoryBytes: 2 ** 24 },
  },
  {
    name: "both limits of all commands, the most",
    text: "QVM_REMOTE_TOTAL_PROCESSES=4194304\nQVM_REMOTE_TOTAL_MEMORY=1099511627776",
    expect: { maxTotalProcesses: 2 ** 22, maxTotalMemoryBytes: 2 ** 40 },
  },
  {
    name: "both limits of commands at once",
    text: "QVM_REMOTE_PARALLEL=64\nQVM_REMOTE_PARALLEL_PER_VM=1",
    expect: { parallel: 64, parallelPerVm: 1 },
  },
  {
    name: "PATH",
    text: 'QVM_REMOTE_PATH="/usr/bin:/opt/a b/bin"',
    expect: { path: "/usr/bin:/opt/a b/bin" },
  },
];

assert(GOOD.length >= 34, "cases of good lines got lost");
for (const { name, text, environment = {}, expect } of GOOD) {
  Deno.test(`parseConfig() takes ${name}`, () => {
    const { config, problems } = parseConfig(text, new Map(Object.entries(environment)));
    assertEquals(problems, []);
    assertEquals(config, { ...DEFAULT_CONFIG, ...expect });
  });
}

interface Bad {
  readonly name: string;
  readonly text: string;
  /** Of each problem, in order. */
  readonly lines: readonly number[];
  readonly says: string;
}

const BAD: readonly Bad[] = [
  { name: "an unknown key", text: "\nQVM_REMOTE_WMS=work", lines: [2], says: '"QVM_REMOTE_WMS"' },
  { name: "a key in lower case", text: "qvm_remote_vms=work", lines: [1], says: "KEY=" },
  { name: "export", text: "export QVM_REMOTE_VMS=work", lines: [1], says: "KEY=" },
  { name: "a blank before =", text: "QVM_REMOTE_VMS =work", lines: [1], says: "KEY=" },
  { name: "a word alone", text: "# a\n# b\nwork\n", lines: [3], says: '"work"' },
  { name: "an open quote", text: 'QVM_REMOTE_VMS="work', lines: [1], says: "KEY=" },
  { name: "text behind a quote", text: 'QVM_REMOTE_VMS="work"lab', lines: [1], says: "KEY=" },
  { name: "mixed quotes", text: `QVM_REMOTE_VMS="work'`, lines: [1], says: "KEY=" },
  { name: "# without a blank", text: "QVM_REMOTE_VM=vm#note", lines: [1], says: "KEY=" },
  { name: "a key twice", text: "QVM_REMOTE_VMS=a\n\nQVM_REMOTE_VMS=a", lines: [3], says: "twice" },
  { name: "a key of the object prototype", text: "CONSTRUCTOR=1", lines: [1], says: "unknown key" },
  {
    name: "a VM name with a slash",
    text: "QVM_REMOTE_VMS=a ../../x",
    lines: [1],
    says: "bad-name",
  },
  { name: "a VM name that begins with -", text: "QVM_REMOTE_VMS=-a", lines: [1], says: "bad-name" },
  { name: "dom0", text: "QVM_REMOTE_VMS=dom0", lines: [1], says: "bad-name" },
  { name: "commas", text: "QVM_REMOTE_VMS=a,b", lines: [1], says: "bad-name" },
  {
    name: "a name of 32 characters",
    text: `QVM_REMOTE_VMS=${"a".repeat(32)}`,
    lines: [1],
    says: "bad-name",
  },
  { name: "user with a colon", text: "QVM_REMOTE_VM_USER=a:b", lines: [1], says: "user name" },
  { name: "user with a blank", text: "QVM_REMOTE_VM_USER='a b'", lines: [1], says: "user name" },
  { name: "an empty user", text: "QVM_REMOTE_VM_USER=", lines: [1], says: "user name" },
  { name: "timeout 0", text: "QVM_REMOTE_MAX_TIMEOUT=0", lines: [1], says: "from 1 to 86400" },
  {
    name: "timeout 86401",
    text: "QVM_REMOTE_MAX_TIMEOUT=86401",
    lines: [1],
    says: "from 1 to 86400",
  },
  { name: "timeout -1", text: "QVM_REMOTE_MAX_TIMEOUT=-1", lines: [1], says: "from 1" },
  { name: "timeout 1.5", text: "QVM_REMOTE_MAX_TIMEOUT=1.5", lines: [1], says: "whole number" },
  { name: "timeout 0x10", text: "QVM_REMOTE_MAX_TIMEOUT=0x10", lines: [1], says: "whole number" },
  { name: "timeout 1e3", text: "QVM_REMOTE_MAX_TIMEOUT=1e3", lines: [1], says: "whole number" },
  { name: "timeout 010", text: "QVM_REMOTE_MAX_TIMEOUT=010", lines: [1], says: "whole number" },
  {
    name: "full-width digits",
    text: "QVM_REMOTE_MAX_TIMEOUT=\uff11\uff10",
    lines: [1],
    says: "whole number",
  },
  { name: "too little output", text: "QVM_REMOTE_MAX_OUTPUT=1023", lines: [1], says: "from 1024" },
  {
    name: "too much output",
    text: "QVM_REMOTE_MAX_OUTPUT=1073741825",
    lines: [1],
    says: "to 1073741824",
  },
  { name: "output in units", text: "QVM_REMOTE_MAX_OUTPUT=10M", lines: [1], says: "whole number" },
  { name: "no process", text: "QVM_REMOTE_MAX_PROCESSES=0", lines: [1], says: "from 1 to 32768" },
  {
    name: "too little memory",
    text: "QVM_REMOTE_MAX_MEMORY=1048576",
    lines: [1],
    says: "from 16777216",
  },
  {
    name: "no process for all",
    text: "QVM_REMOTE_TOTAL_PROCESSES=0",
    lines: [1],
    says: "from 1 to 4194304",
  },
  {
    name: "too little memory for all",
    text: "QVM_REMOTE_TOTAL_MEMORY=1048576",
    lines: [1],
    says: "from 16777216",
  },
  { name: "parallel 0", text: "QVM_REMOTE_PARALLEL=0", lines: [1], says: "from 1 to 64" },
  {
    name: "nobody waits for a day",
    text: "QVM_REMOTE_APPROVAL_EXPIRES=90000",
    lines: [1],
    says: "from 1 to 86400",
  },
  { name: "notify maybe", text: "QVM_REMOTE_NOTIFY=maybe", lines: [1], says: "want yes or no" },
  { name: "parallel 65", text: "QVM_REMOTE_PARALLEL_PER_VM=65", lines: [1], says: "from 1 to 64" },
  { name: "a relative PATH", text: "QVM_REMOTE_PATH=/bin:bin", lines: [1], says: "absolute" },
  { name: "an empty PATH entry", text: "QVM_REMOTE_PATH=/bin:", lines: [1], says: "absolute" },
  { name: "an empty PATH", text: "QVM_REMOTE_PATH=", lines: [1], says: "absolute" },
  {
    name: "several, each with its line",
    text: "QVM_REMOTE_VMS=work\n?\nQVM_REMOTE_PARALLEL=x\n# fine\nFOO=1\n",
    lines: [2, 3, 5],
    says: "KEY=",
  },
];

assert(BAD.length >= 38, "cases of bad lines got lost");
for (const { name, text, lines, says } of BAD) {
  Deno.test(`parseConfig() refuses ${name}`, () => {
    const { problems } = parseConfig(text);
    assertEquals(problems.map(({ line }) => line), lines);
    assertStringIncludes(problems[0]?.text ?? "", says);
  });
}

Deno.test("parseConfig(): hostile text in a line is escaped in its problem", () => {
  const { problems } = parseConfig("\x1b]0;x\x07\u2028\r=\nQVM_REMOTE_VMS=a\x1b[31m\n");
  assertEquals(problems.length, 2);
  for (const { text } of problems) assert(/^[\x20-\x7e]*$/.test(text), text);
});

Deno.test("parseConfig(): a bad value of the environment is a problem without a line", () => {
  const { problems } = parseConfig("", new Map([["QVM_REMOTE_PARALLEL", "many"]]));
  assertEquals(problems.map(({ line }) => line), [0]);
});

Deno.test("the names read from the environment are those of the file", () => {
  assertEquals(CONFIG_ENVIRONMENT.length, 21);
  for (const name of CONFIG_ENVIRONMENT) assert(/^(QVM|QUBES)_REMOTE_[A-Z_]+$/.test(name), name);
});

const CHANGES: readonly (readonly [name: string, before: string, after: string])[] = [
  ["no file", "", 'QVM_REMOTE_VMS="x y"\n'],
  [
    "a file without a list: at its end",
    "# mine\nQVM_REMOTE_PARALLEL=2\n",
    '# mine\nQVM_REMOTE_PARALLEL=2\nQVM_REMOTE_VMS="x y"\n',
  ],
  ["no newline at the end", "# mine", '# mine\nQVM_REMOTE_VMS="x y"\n'],
  [
    "comments, empty lines and blanks stay",
    "#a\n\n  # b # c\nQVM_REMOTE_VMS=old\n\nQVM_REMOTE_PARALLEL=2   # why\n",
    '#a\n\n  # b # c\nQVM_REMOTE_VMS="x y"\n\nQVM_REMOTE_PARALLEL=2   # why\n',
  ],
  [
    "a list that is a comment stays one",
    "#QVM_REMOTE_VMS=example\nQVM_REMOTE_VMS=old\n",
    '#QVM_REMOTE_VMS=example\nQVM_REMOTE_VMS="x y"\n',
  ],
  [
    "the aliases go, and what is alike stays",
    "  QUBES_REMOTE_VM=d\n# k\nQVM_REMOTE_VM=c\nQUBES_REMOTE_VMS=b\nQVM_REMOTE_VM_USER=user\n",
    'QVM_REMOTE_VMS="x y"\n# k\nQVM_REMOTE_VM_USER=user\n',
  ],
];

for (const [name, before, after] of CHANGES) {
  Deno.test(`withVmList(), ${name}`, () => {
    const [x, y] = [parseVmName("x"), parseVmName("y")];
    const changed = withVmList(before, [x, y]);
    assertEquals(changed, after);
    assertEquals(parseConfig(changed).config.vms, [x, y]);
    assertEquals(parseConfig(changed).problems, []);
    assertEquals(withVmList(changed, [x, y]), changed, "a second time changes nothing");
    assertEquals(parseConfig(withVmList(changed, [])).config.vms, []);
  });
}
