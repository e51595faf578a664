// SPDX-License-Identifier: GPL-2.0-or-later
/** Which files are read, from a real folder: links, odd names, odd bytes. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  loadPolicy,
  OLD_POLICY_FOLDER,
  POLICY_FOLDERS,
} from "../../dom0/qrexec_policy/load_policy.ts";
import { Refused } from "../../dom0/qrexec_policy/policy_error.ts";
import { filesOnDisk } from "../../dom0/qrexec_policy/policy_files.ts";
import { filesInMemory } from "./made_up_files.ts";

const [RUN, ETC] = POLICY_FOLDERS;
const LINE = "s * work agent allow\n";

/** A root with the three folders, and the files that are given. */
async function rootWith(files: Readonly<Record<string, string | Uint8Array>>) {
  const root = await Deno.makeTempDir();
  for (const folder of [RUN, ETC, OLD_POLICY_FOLDER]) {
    await Deno.mkdir(`${root}${folder}`, { recursive: true });
  }
  for (const [path, content] of Object.entries(files)) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(`${root}${path}`, bytes);
  }
  return { root, [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }) };
}

const rulesIn = (root: string): readonly string[] =>
  loadPolicy(filesOnDisk(root)).map(({ at }) => at);

Deno.test("links are followed; those that lead nowhere, and folders, are not read", async () => {
  await using made = await rootWith({ [`${ETC}/target`]: LINE });
  const { root } = made;
  await Deno.symlink(`${root}${ETC}/target`, `${root}${ETC}/10-link.policy`);
  await Deno.symlink("nowhere", `${root}${ETC}/20-nowhere.policy`);
  await Deno.symlink("30-circle.policy", `${root}${ETC}/30-circle.policy`);
  await Deno.mkdir(`${root}${ETC}/40-Folder.policy`);
  assertEquals(rulesIn(root), [`${ETC}/10-link.policy:1`]);
});

Deno.test("the two folders are sorted as one, and what is in /run hides what is in /etc", async () => {
  await using made = await rootWith({
    [`${ETC}/20-a.policy`]: LINE,
    [`${ETC}/100-a.policy`]: LINE,
    [`${ETC}/30-b.policy`]: "this is never read",
    [`${RUN}/30-b.policy`]: LINE,
    [`${RUN}/15-c.policy`]: LINE,
  });
  assertEquals(rulesIn(made.root), [
    `${ETC}/100-a.policy:1`,
    `${RUN}/15-c.policy:1`,
    `${ETC}/20-a.policy:1`,
    `${RUN}/30-b.policy:1`,
  ]);
});

Deno.test("what is no text, or cannot be listed, refuses every call", async () => {
  await using latin = await rootWith({
    [`${ETC}/10-a.policy`]: new Uint8Array([0x23, 0xe9, 0x0a]),
  });
  assertThrows(() => rulesIn(latin.root), Refused, "not UTF-8");
  await using marked = await rootWith({ [`${ETC}/10-a.policy`]: `\ufeff# a byte order mark\n` });
  assertThrows(() => rulesIn(marked.root), Refused, "10-a.policy:1");
  await using none = await rootWith({});
  await Deno.remove(`${none.root}${RUN}`);
  assertThrows(() => rulesIn(none.root), Refused, "not a folder");
});

Deno.test("lines end as Python ends them, and its spaces are spaces", () => {
  const text =
    "s\t*\x0bwork\xa0agent\u3000allow\r# x\r\n\x1c s * work agent deny\x85\n#\u2028s x\n";
  const rules = loadPolicy(filesInMemory({ [`${ETC}/1.policy`]: text }, [...POLICY_FOLDERS]));
  assertEquals(rules.map(({ at, action }) => `${at} ${action.kind}`), [
    `${ETC}/1.policy:1 allow`,
    `${ETC}/1.policy:3 deny`,
  ]);
});

Deno.test("files that include each other refuse every call instead of running for ever", () => {
  const files = filesInMemory({
    [`${ETC}/1.policy`]: "!include include/a\n",
    [`${ETC}/include/a`]: "!include include/b\n",
    [`${ETC}/include/b`]: "!include include/a\n",
  }, [...POLICY_FOLDERS]);
  assertThrows(() => loadPolicy(files), Refused, "includes itself");
});

Deno.test("a file may be included twice", () => {
  const files = filesInMemory({
    [`${ETC}/1.policy`]: "!include include/a\n!include include/../include/a\n",
    [`${ETC}/include/a`]: LINE,
  }, [...POLICY_FOLDERS]);
  assertEquals(loadPolicy(files).length, 2);
});

Deno.test("names of policy files that are read: every ASCII character", () => {
  const read: string[] = [];
  for (let code = 0x20; code < 0x7f; code++) {
    const char = String.fromCharCode(code);
    if (char === "/") continue;
    const files = filesInMemory({ [`${ETC}/1${char}.policy`]: LINE }, [...POLICY_FOLDERS]);
    try {
      assertEquals(loadPolicy(files).length, 1);
      read.push(char);
    } catch (error) {
      assert(error instanceof Refused, `${error}`);
    }
  }
  assertEquals(read.join(""), "-.0123456789_abcdefghijklmnopqrstuvwxyz");
});
