// SPDX-License-Identifier: GPL-2.0-or-later
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";
import { type Action, decide, parsePolicy, PolicyError } from "../../../dom0/remote/policy.ts";
import {
  readPolicyFolder,
  removeGrant,
  writeFullGrant,
} from "../../../dom0/remote/policy_files.ts";
import { authentic, LAB, modeOf, namesIn, withFolder, WORK } from "./fixture.ts";

const ofWork = await authentic({ vm: WORK });
const ofLab = await authentic({ vm: LAB });

interface Decided {
  readonly name: string;
  readonly text: string;
  readonly work: readonly [Action, because: string];
  readonly lab: readonly [Action, because: string];
}

const NO_RULE = ["deny", "no rule"] as const;

const DECIDED: readonly Decided[] = [
  { name: "no rule is deny", text: "", work: NO_RULE, lab: NO_RULE },
  { name: "comments are no rules", text: "# * work * allow\n\n", work: NO_RULE, lab: NO_RULE },
  { name: "a rule for one VM", text: "* work * allow", work: ["allow", "p:1"], lab: NO_RULE },
  {
    name: "names are compared whole",
    text: "* workx * allow\n* wor * allow",
    work: NO_RULE,
    lab: NO_RULE,
  },
  {
    name: "names are compared with their case",
    text: "* Work * allow",
    work: NO_RULE,
    lab: NO_RULE,
  },
  {
    name: "the first match wins, allow before deny",
    text: "* work * allow\n* work * deny\n* @anyvm * ask\n",
    work: ["allow", "p:1"],
    lab: ["ask", "p:3"],
  },
  {
    name: "the first match wins, deny before allow",
    text: "# x\n\n* work * deny # not this one\n* @anyvm * allow\n",
    work: ["deny", "p:3"],
    lab: ["allow", "p:4"],
  },
  {
    name: "operation shell, target -, many blanks, CR LF",
    text: "\tshell   @anyvm \t -   ask\r\n",
    work: ["ask", "p:1"],
    lab: ["ask", "p:1"],
  },
];

for (const { name, text, work, lab } of DECIDED) {
  Deno.test(`policy: ${name}`, () => {
    const rules = parsePolicy("p", text);
    assertEquals(decide(rules, ofWork), { action: work[0], because: work[1] });
    assertEquals(decide(rules, ofLab), { action: lab[0], because: lab[1] });
  });
}

const BAD_LINES: readonly (readonly [name: string, line: string, says: string])[] = [
  ["three words", "* work allow", "four words"],
  ["five words", "* work * allow more", "four words"],
  ["one word", "allow", "four words"],
  ["an unknown operation", "vm.start work * allow", "operation"],
  ["an operation in capitals", "Shell work * allow", "operation"],
  ["an unknown source", "* @tag:x * allow", "source"],
  ["a source that is no name", "* ../x * allow", "source"],
  ["dom0 as source", "* dom0 * allow", "source"],
  ["* as source", "* * * allow", "source"],
  ["an unknown target", "* work lab allow", "target"],
  ["an unknown action", "* work * yes", "action"],
  ["an action in capitals", "* work * ALLOW", "action"],
  ["an action of the object prototype", "* work * constructor", "action"],
  ["an action with a setting", "* work * ask,timeout=1", "action"],
  ["control characters", "* work * \x1b[31mallow", "action"],
];

for (const [name, line, says] of BAD_LINES) {
  Deno.test(`policy: a line with ${name} is named with its file and number`, () => {
    const error = assertThrows(
      () => parsePolicy("30-x.policy", `* work * allow\n# fine\n${line}\n* @anyvm * deny\n`),
      PolicyError,
    );
    assertStringIncludes(error.message, "30-x.policy:3: ");
    assertStringIncludes(error.message, says);
    assert(/^[\x20-\x7e]*$/.test(error.message), error.message);
  });
}

for (const separator of ["\r", "\u2028", "\u2029", "\x0b", "\x85"]) {
  const name = `U+${separator.charCodeAt(0).toString(16).padStart(4, "0")}`;
  Deno.test(`policy: ${name} in a comment ends neither the comment nor the line`, () => {
    assertEquals(parsePolicy("p", `# see below${separator}* @anyvm * allow\n`), []);
    assertThrows(() => parsePolicy("p", `* work * deny${separator}* lab * allow\n`), PolicyError);
  });
}

const at = (folder: string, name: string, text: string): Promise<void> =>
  Deno.writeTextFile(`${folder}/${name}`, text);

Deno.test("policy files are read in order of their names", () =>
  withFolder(async (folder) => {
    await at(folder, "50-b.policy", "* work * ask\n");
    await at(folder, "30-a.policy", "* lab * deny\n");
    await at(folder, "90-z.policy", "* @anyvm * allow\n");
    await at(folder, "100-c.policy", "* lab * allow\n"); // "1" sorts before "3"
    const rules = await readPolicyFolder(folder);
    assertEquals(rules.map(({ where }) => where), [
      ...["100-c.policy:1", "30-a.policy:1", "50-b.policy:1", "90-z.policy:1"],
    ]);
    assertEquals(decide(rules, ofWork), { action: "ask", because: "50-b.policy:1" });
    assertEquals(decide(rules, ofLab), { action: "allow", because: "100-c.policy:1" });
  }));

Deno.test("only names that end in .policy and begin with a letter or digit are policy files", () =>
  withFolder(async (folder) => {
    const others = [
      "README",
      "x.policy.rpmsave",
      ".x.policy",
      "x.policy~",
      ".50-a.policy.1234abcd",
    ];
    for (const name of others) await at(folder, name, "this is no rule\n");
    await Deno.mkdir(`${folder}/folder.d`);
    assertEquals(await readPolicyFolder(folder), []);
    assertEquals(await readPolicyFolder(`${folder}/absent`), []);
  }));

Deno.test("a policy file that is a link is read like a file", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/p`);
    await at(folder, "elsewhere", "* work * deny\n");
    await at(`${folder}/p`, "50-work.policy", "* work * allow\n");
    await Deno.symlink("../elsewhere", `${folder}/p/10-first.policy`);
    const rules = await readPolicyFolder(`${folder}/p`);
    assertEquals(decide(rules, ofWork), { action: "deny", because: "10-first.policy:1" });
  }));

for (
  const [name, make] of [
    ["a bad line", (path) => Deno.writeTextFile(path, "nonsense\n")],
    ["a folder", (path) => Deno.mkdir(path)],
    ["a dangling link", (path) => Deno.symlink("nowhere", path)],
    ["257 KiB", (path) => Deno.writeTextFile(path, "#".repeat(257 * 1024))],
  ] as readonly (readonly [string, (path: string) => Promise<void>])[]
) {
  Deno.test(`a policy folder with a file that is ${name} is not read around it`, () =>
    withFolder(async (folder) => {
      await at(folder, "10-good.policy", "* work * allow\n");
      await make(`${folder}/20-bad.policy`);
      await assertRejects(() => readPolicyFolder(folder));
    }));
}

Deno.test("the grant of one VM: written, read, written again, removed", () =>
  withFolder(async (root) => {
    const folder = `${root}/etc/remote-policy.d`;
    await Deno.mkdir(`${root}/etc`);
    await writeFullGrant(folder, WORK);
    await writeFullGrant(folder, WORK);
    await writeFullGrant(folder, parseVmName("w"));
    assertEquals(namesIn(folder), ["50-w.policy", "50-work.policy"]);
    assertEquals([modeOf(folder), modeOf(`${folder}/50-work.policy`)], [0o700, 0o600]);
    const rules = await readPolicyFolder(folder);
    assertEquals(decide(rules, ofWork), { action: "allow", because: "50-work.policy:3" });
    assertEquals(decide(rules, ofLab).action, "deny");
    await removeGrant(folder, WORK);
    await removeGrant(folder, WORK);
    assertEquals(namesIn(folder), ["50-w.policy"]);
    assertEquals(decide(await readPolicyFolder(folder), ofWork).action, "deny");
  }));
