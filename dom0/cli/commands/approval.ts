// SPDX-License-Identifier: GPL-2.0-or-later
/** pending, show, approve, deny, grants: what waits for a person, and the person's answer. @module */

import { watchFolders } from "../../../shared/io/folder_watch.ts";
import { expectWords, parseNumber, parseWords } from "../../../shared/cli/options.ts";
import { UsageError, UserError } from "../../../shared/cli/program.ts";
import { type Approver, objectionToGrant } from "../../approval/parking.ts";
import type { ParkedView } from "../../approval/parked_view.ts";
import { presentRequest, visibleLine } from "../../approval/present.ts";
import { readDaemonState } from "../../daemon/state_file.ts";
import { giveOrder } from "../../operator/order.ts";
import { MAX_GRANT_SECONDS, reasonOf } from "../../operator/order_form.ts";
import { findParked, listParked, scriptOf } from "../../operator/parked.ts";
import { OrderError } from "../../orders/order_file.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import { type Operator, requireRoot } from "../operator.ts";

export async function pending(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, { json: "flag", watch: "flag" }, {}, "anywhere");
  expectWords(options.rest, 0, 0, "qvm-remote-dom0 pending [--json] [--watch]");
  requireRoot(operator, "pending");
  const print = options.has("json") ? printJson : printTable;
  print(operator, await waitingNow(operator));
  if (options.has("watch")) await watchPending(operator, print);
  return 0;
}

/** Without a daemon nothing waits. */
async function waitingNow({ paths }: Operator): Promise<readonly ParkedView[]> {
  return await readDaemonState(paths) === undefined ? [] : await listParked(paths);
}

type Print = (operator: Operator, views: readonly ParkedView[]) => void;

const printJson: Print = ({ print }, views) => print(JSON.stringify(views) + "\n");

const printTable: Print = ({ print }, views) => {
  if (views.length === 0) return print("Nothing waits for an answer.\n");
  const rows = [
    ["NUMBER", "VM", "OPERATION", "TARGETS", "SINCE", "REASON GIVEN"],
    ...views.map(({ number, vm, operation, targets, parkedAtMs, why }) => [
      String(number),
      vm,
      operation,
      targets.join(","),
      new Date(parkedAtMs).toISOString().slice(11, 19),
      visibleLine(why ?? "-"),
    ]),
  ];
  const widths = rows[0]?.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0))
  );
  for (const row of rows) {
    const cells = row.map((cell, column) => cell.padEnd(widths?.[column] ?? 0));
    print(`${cells.join("  ").trimEnd()}\n`);
  }
};

/** Until it is interrupted, or the daemon ends. */
async function watchPending(operator: Operator, print: Print): Promise<void> {
  const { parkedFolder } = operator.paths;
  const seen = new Map<string, string>();
  for (const { id, hash } of await waitingNow(operator)) seen.set(id, hash);
  let changed = Promise.withResolvers<void>();
  const watch = watchFolders([parkedFolder], () => changed.resolve());
  try {
    while (await readDaemonState(operator.paths) !== undefined) {
      await changed.promise;
      changed = Promise.withResolvers<void>();
      const views = await waitingNow(operator);
      const isNew = views.some(({ id, hash }) => seen.get(id) !== hash);
      const isGone = seen.size > views.length;
      if (!isNew && !isGone) continue;
      seen.clear();
      for (const { id, hash } of views) seen.set(id, hash);
      print(operator, views);
    }
  } finally {
    watch.close();
  }
}

export async function show(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, { json: "flag" }, {}, "anywhere");
  expectWords(options.rest, 1, 1, "qvm-remote-dom0 show ID [--json]");
  requireRoot(operator, "show");
  const view = findParked(await waitingNow(operator), options.rest[0] ?? "");
  if (options.has("json")) operator.print(JSON.stringify(view) + "\n");
  else operator.print(presentRequest(view, await scriptOf(operator.paths, view)));
  return 0;
}

export const APPROVE_WORDS = "ID [--for TIME] [--all-like] [--hash HASH] [--yes]";

export async function approve(operator: Operator, words: readonly string[]): Promise<number> {
  const table = { for: "value", "all-like": "flag", hash: "value", yes: "flag" } as const;
  const options = parseWords(words, table, {}, "anywhere");
  expectWords(options.rest, 1, 1, `qvm-remote-dom0 approve ${APPROVE_WORDS}`);
  const time = options.value("for");
  const allLike = options.has("all-like");
  if (allLike && time === undefined) throw new UsageError("--all-like needs --for TIME");
  const forSeconds = time === undefined ? null : parseTime(time);
  requireRoot(operator, "approve");
  const view = findParked(await waitingNow(operator), options.rest[0] ?? "");
  const objection = objectionToGrant({ forSeconds, allLike }, view);
  if (objection !== null) throw new UserError(objection);
  if (!options.has("yes")) await confirm(operator, view, forSeconds, allLike);
  const { vm, id } = view;
  const hash = options.value("hash") ?? view.hash; // another preview is another hash
  const what = { vm, id, hash, forSeconds, allLike };
  return await order(operator, { order: "approve", by: await approverHere(operator), what });
}

/** Shows all of it; only a typed word approves. */
async function confirm(
  operator: Operator,
  view: ParkedView,
  forSeconds: number | null,
  allLike: boolean,
): Promise<void> {
  operator.print(presentRequest(view, await scriptOf(operator.paths, view)));
  if (forSeconds !== null) operator.print(`\n${grantText(view, forSeconds, allLike)}\n`);
  if (operator.ask('\nType "yes" to approve it: ')?.trim() === "yes") return;
  throw new UserError("not approved: it goes on waiting", ['"deny" refuses it']);
}

function grantText({ vm, operation, targets }: ParkedView, seconds: number, all: boolean): string {
  const what = all
    ? `${operation} on ${targets.join(", ")}, whatever the values are,`
    : "exactly this";
  return `And for ${seconds} s ${vm} may do ${what} without a question.`;
}

/** "90", "90s", "10m" or "2h". */
function parseTime(text: string): number {
  const [, number = "", unit = "s"] = /^([1-9][0-9]{0,5})([smh]?)$/.exec(text) ?? [];
  const seconds = Number(number) * ({ s: 1, m: 60, h: 3600 }[unit] ?? 1);
  if (number !== "" && seconds <= MAX_GRANT_SECONDS) return seconds;
  throw new UsageError(`--for wants a time as 90s, 10m or 2h, of at most 24h: ${text}`);
}

export async function deny(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, { reason: "value" }, {}, "anywhere");
  expectWords(options.rest, 1, 1, "qvm-remote-dom0 deny ID [--reason TEXT]");
  requireRoot(operator, "deny");
  const { vm, id, hash } = findParked(await waitingNow(operator), options.rest[0] ?? "");
  const what = { vm, id, hash, reason: parseReason(options.value("reason")) };
  return await order(operator, { order: "deny", by: await approverHere(operator), what });
}

function parseReason(text: string | undefined): string | null {
  try {
    return text === undefined ? null : reasonOf(text);
  } catch (error) {
    if (error instanceof OrderError) throw new UsageError(`--reason: ${error.message}`);
    throw error;
  }
}

/** By its id: two VMs may have one of the same, and then it is neither. */
export async function cancel(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, {}, {}, "anywhere");
  expectWords(options.rest, 1, 1, "qvm-remote-dom0 cancel ID");
  requireRoot(operator, "cancel");
  const [id = ""] = options.rest;
  const { vms = [] } = await readDaemonState(operator.paths) ?? {};
  const [found, ...more] = vms.filter(({ open }) => open.includes(id));
  if (found === undefined) {
    throw new UserError(`no request ${printable(id)} runs or waits`, [
      'see "qvm-remote-dom0 status" for what runs',
    ]);
  }
  if (more.length > 0) {
    throw new UserError(`${printable(id)} is of ${found.vm} and of ${more[0]?.vm}`, [
      '"revoke" ends all that a VM has running',
    ]);
  }
  const what = { vm: found.vm, id };
  return await order(operator, { order: "cancel", by: await approverHere(operator), what });
}

export async function grants(operator: Operator, words: readonly string[]): Promise<number> {
  const [first, ...rest] = words;
  if (first === "revoke") return await revokeGrant(operator, rest);
  const options = parseWords(words, { json: "flag" }, {}, "anywhere");
  expectWords(options.rest, 0, 0, "qvm-remote-dom0 grants [--json] | grants revoke N");
  requireRoot(operator, "grants");
  const { grants = [] } = await readDaemonState(operator.paths) ?? {};
  if (options.has("json")) operator.print(JSON.stringify(grants) + "\n");
  else if (grants.length === 0) operator.print("There are no grants.\n");
  else {
    for (const { number, vm, operation, targets, anyValues, untilMs, by } of grants) {
      const values = anyValues ? "any values" : "the same values";
      const until = new Date(untilMs).toISOString();
      operator.print(
        `${number}  ${vm}  ${operation} ${
          targets.join(",")
        }  ${values}  until ${until}  by ${by}\n`,
      );
    }
  }
  return 0;
}

async function revokeGrant(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, {}, {}, "anywhere");
  expectWords(options.rest, 1, 1, "qvm-remote-dom0 grants revoke N");
  requireRoot(operator, "grants revoke");
  const grant = parseNumber("N", options.rest[0] ?? "", 1, 2 ** 31);
  return await order(operator, { order: "revoke-grant", by: await approverHere(operator), grant });
}

async function order(operator: Operator, given: Parameters<typeof giveOrder>[1]): Promise<number> {
  const { ok, text } = await giveOrder(operator.paths, given);
  if (!ok) throw new UserError(text, ['see "qvm-remote-dom0 pending"']);
  operator.print(`${text}\n`);
  return 0;
}

/** The person at this terminal: under sudo, the user who called it. */
async function approverHere({ isTerminal, invokedBy }: Operator): Promise<Approver> {
  return { user: invokedBy, via: isTerminal ? await terminalName() : "no terminal" };
}

async function terminalName(): Promise<string> {
  try {
    const { code, stdout } = await new Deno.Command("tty", { stdin: "inherit", stderr: "null" })
      .output();
    return code === 0 ? new TextDecoder().decode(stdout).trim() : "no terminal";
  } catch {
    return "a terminal";
  }
}
