// SPDX-License-Identifier: GPL-2.0-or-later
/** archive save, list, show, take-in, remove: the configuration in a file, and back. @module */

import { unknownCommand } from "../../../shared/cli/did_you_mean.ts";
import { expectWords, type ParsedWords, parseWords } from "../../../shared/cli/options.ts";
import { UsageError, UserError } from "../../../shared/cli/program.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import {
  type ArchivedItem,
  type ArchiveLook,
  listArchives,
  lookAtArchive,
  makeArchive,
  removeArchive,
  takeInArchive,
} from "../../operator/config_archives.ts";
import { changedLines } from "../../operator/text_diff.ts";
import { createQubeFacts } from "../../policy/qube_facts.ts";
import { qvmLsFacts } from "../../policy/qvm_ls.ts";
import { type Operator, requireRoot } from "../operator.ts";

export const ARCHIVE_WORDS = "save [--keys] [--json] | list [--json] | " +
  "show ARCHIVE [--keys] [--json] | take-in ARCHIVE [--keys] [--yes] [--json] | " +
  "remove ARCHIVE [--yes]";

const ACTIONS: ReadonlyMap<
  string,
  (operator: Operator, words: readonly string[]) => Promise<number>
> = new Map([
  ["save", save],
  ["list", list],
  ["show", show],
  ["take-in", takeIn],
  ["remove", remove],
]);

export async function archive(operator: Operator, words: readonly string[]): Promise<number> {
  const [action, ...more] = words;
  const run = ACTIONS.get(action ?? "");
  if (run !== undefined) {
    requireRoot(operator, `archive ${action}`);
    return await run(operator, more);
  }
  const known = [...ACTIONS.keys()];
  if (action === undefined) throw new UsageError(`archive requires: ${known.join(" | ")}`);
  throw unknownCommand("archive command", action, known, `"archive ${known.join("|")}"`);
}

async function save(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, { keys: "flag", json: "flag" }, {}, "anywhere");
  expectWords(options.rest, 0, 0, "qvm-remote-dom0 archive save [--keys] [--json]");
  const { paths } = operator;
  const { inventory } = await createQubeFacts(qvmLsFacts(paths.qubesStore))(new Set());
  const qubes = inventory === null
    ? null
    : [...inventory.types].map(([name, kind]) => ({ name, class: kind }));
  const name = await makeArchive(operator, options.has("keys"), qubes);
  const path = `${paths.archivesFolder}/${name}`;
  if (options.has("json")) {
    operator.print(JSON.stringify({ name, path, hasKeys: options.has("keys") }) + "\n");
    return 0;
  }
  operator.print(`Saved ${path}\n`);
  if (qubes === null) operator.warn("The qubes cannot be listed, so their list is not in it.\n");
  if (options.has("keys")) {
    operator.print("Whoever reads it can send requests as the VMs whose keys are in it.\n");
  }
  return 0;
}

async function list(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, { json: "flag" }, {}, "anywhere");
  expectWords(options.rest, 0, 0, "qvm-remote-dom0 archive list [--json]");
  const archives = await listArchives(operator.paths);
  if (options.has("json")) {
    operator.print(JSON.stringify(archives) + "\n");
    return 0;
  }
  for (const { name, madeMs, hasKeys, bytes } of archives) {
    const made = new Date(madeMs).toISOString().slice(0, 19);
    const keys = hasKeys ? "with keys" : "without keys";
    operator.print(`${made}Z  ${name}  ${Math.ceil(bytes / 1024)} KB, ${keys}\n`);
  }
  if (archives.length === 0) {
    operator.print('There is no archive. "qvm-remote-dom0 archive save" makes one.\n');
  }
  return 0;
}

async function show(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, { keys: "flag", json: "flag" }, {}, "anywhere");
  const name = nameOf(options, "show ARCHIVE [--keys] [--json]");
  const look = await lookAtArchive(operator.paths, name, options.has("keys"));
  operator.print(options.has("json") ? `${JSON.stringify(look)}\n` : lookText(look));
  return 0;
}

async function takeIn(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(
    words,
    { keys: "flag", yes: "flag", json: "flag" },
    {},
    "anywhere",
  );
  const name = nameOf(options, "take-in ARCHIVE [--keys] [--yes] [--json]");
  const [withKeys, isJson] = [options.has("keys"), options.has("json")];
  if (isJson && !options.has("yes")) throw new UsageError("take-in --json asks nobody: add --yes");
  const look = await lookAtArchive(operator.paths, name, withKeys);
  if (!isJson) operator.print(lookText(look));
  if (look.items.length > 0 && !options.has("yes")) {
    agree(operator, 'Type "yes" to take it in: ', "nothing is taken in");
  }
  const before = await takeInArchive(operator, name, withKeys, look.mark);
  if (isJson) {
    operator.print(JSON.stringify({ name, items: look.items, before }) + "\n");
    return 0;
  }
  operator.print(
    "Taken in; the daemon takes it up by itself. To take that back:\n" +
      `  qvm-remote-dom0 archive take-in ${before}${withKeys ? " --keys" : ""}\n`,
  );
  return 0;
}

async function remove(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, { yes: "flag" }, {}, "anywhere");
  const name = nameOf(options, "remove ARCHIVE [--yes]");
  if (!options.has("yes")) {
    agree(operator, `Type "yes" to remove ${printable(name)}: `, "nothing is removed");
  }
  await removeArchive(operator, name);
  operator.print(`Removed ${name}.\n`);
  return 0;
}

function nameOf({ rest }: ParsedWords, usage: string): string {
  expectWords(rest, 1, 1, `qvm-remote-dom0 archive ${usage}`);
  return rest[0] ?? "";
}

function agree(operator: Operator, question: string, otherwise: string): void {
  if (operator.ask(question)?.trim() !== "yes") throw new UserError(otherwise);
}

function lookText({ items, same, stays }: ArchiveLook): string {
  const kept = stays.length === 0
    ? ""
    : `Not in the archive, and stays: ${stays.map((one) => printable(one, 200)).join(", ")}.\n`;
  return `${items.map(itemText).join("")}${items.length} would change, ` +
    `${same} the same already.\n${kept}`;
}

function itemText({ what, name, before, after }: ArchivedItem): string {
  const title = what === "remote.conf"
    ? what
    : what === "policy"
    ? printable(name, 200)
    : `key of ${name}`;
  const isNew = before === null ? " (not there now)" : "";
  return `${title}${isNew}:\n${changedLines(before ?? "", after)}`;
}
