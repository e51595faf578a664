// SPDX-License-Identifier: GPL-2.0-or-later
/** authorize, connect, revoke, disconnect, keys: which VMs may send commands. @module */

import { didYouMean } from "../../../shared/cli/did_you_mean.ts";
import {
  expectWords,
  type OptionTable,
  type ParsedWords,
  parseWords,
} from "../../../shared/cli/options.ts";
import { UsageError, UserError } from "../../../shared/cli/program.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import type { VmName } from "../../../shared/protocol/vm_name.ts";
import { ParameterError } from "../../operations/parameter.ts";
import {
  GRANT_TEXT,
  type GrantLevel,
  GRANTS,
  parseGrant,
  parseScope,
  type Scope,
} from "../../policy/grant_file.ts";
import { fetchKey, giveRight, listKeys, type Right, takeRight } from "../../operator/rights.ts";
import { type Operator, requireRoot } from "../operator.ts";
import { vmFromWord } from "../../operator/vm_word.ts";
import { askQueue } from "../../session/queue_question.ts";
import { requireVm } from "../../operator/require_vm.ts";

export const CONNECT_OPTIONS: OptionTable = {
  fingerprint: "value",
  grant: "value",
  scope: "value",
  "accept-v1": "flag",
};
const GRANT_WORDS = `--grant ${GRANTS.join("|")} [--scope @tag:NAME]`;
export const CONNECT_WORDS = `[--fingerprint F] [${GRANT_WORDS}] [--accept-v1] VM [KEY]`;
export const AUTHORIZE_OPTIONS: OptionTable = { ...CONNECT_OPTIONS, fetch: "flag" };
export const AUTHORIZE_WORDS =
  `[--fetch [--fingerprint F]] [${GRANT_WORDS}] [--accept-v1] VM [KEY]`;

export async function authorize(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, AUTHORIZE_OPTIONS, {}, "anywhere");
  expectWords(options.rest, 1, 2, `qvm-remote-dom0 authorize ${AUTHORIZE_WORDS}`);
  requireRoot(operator, "authorize");
  const [word = "", keyWord] = options.rest;
  const vm = vmFromWord(word);
  await requireVm(vm);
  if (keyWord !== undefined && options.has("fetch")) {
    throw new UsageError("give either a key or --fetch");
  }
  const right = rightOf(operator, vm, options);
  const keyText = options.has("fetch")
    ? await comparedKey(operator, vm, options.value("fingerprint"))
    : await readKey(operator, keyWord);
  return await store(operator, vm, keyText, right);
}

/** authorize with the key fetched from the running VM, after a check that the VM answers. */
export async function connect(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, CONNECT_OPTIONS, {}, "anywhere");
  expectWords(options.rest, 1, 2, `qvm-remote-dom0 connect ${CONNECT_WORDS}`);
  requireRoot(operator, "connect");
  const [word = "", keyWord] = options.rest;
  const vm = vmFromWord(word);
  await requireVm(vm);
  const right = rightOf(operator, vm, options);
  await askQueue(vm, "status"); // throws if the VM does not answer
  const keyText = keyWord === undefined
    ? await comparedKey(operator, vm, options.value("fingerprint"))
    : await readKey(operator, keyWord);
  return await store(operator, vm, keyText, right);
}

function rightOf(operator: Operator, vm: VmName, options: ParsedWords): Right {
  const scope = scopeOf(options); // before any question is asked
  const grant = grantOf(operator, vm, options.value("grant"));
  return { grant, scope, acceptsV1: options.has("accept-v1") };
}

function scopeOf(options: ParsedWords): Scope {
  const word = options.value("scope");
  if (word === undefined) return null;
  if (options.value("grant") === undefined) throw new UsageError("--scope goes with --grant");
  try {
    return parseScope(word);
  } catch (error) {
    if (!(error instanceof ParameterError)) throw error;
    throw new UsageError(`${printable(word)} is no scope`, ['a scope is "@tag:NAME"']);
  }
}

function grantOf(operator: Operator, vm: VmName, word: string | undefined): GrantLevel {
  if (word !== undefined) {
    const grant = parseGrant(word);
    if (grant !== null) return grant;
    throw new UsageError(`--grant takes ${GRANTS.join(", ")}, got: ${printable(word)}`, [
      ...didYouMean(word, GRANTS),
    ]);
  }
  if (!operator.isTerminal) {
    throw new UserError(`it is not said what ${vm} may do`, [
      `add "--grant monitor" to let ${vm} read, "--grant full" to let it run any command, as root`,
    ]);
  }
  operator.warn(GRANTS.map((grant) => `${grant.padEnd(9)}${GRANT_TEXT[grant]}\n`).join(""));
  const answer = operator.ask(`What may ${vm} do? Type one of them, anything else to stop: `);
  const grant = parseGrant(answer?.trim() ?? "");
  if (grant === null) throw new UserError(`${vm} was not authorised`);
  return grant;
}

async function readKey(operator: Operator, keyWord: string | undefined): Promise<string> {
  if (keyWord !== undefined) {
    operator.warn(
      "qvm-remote-dom0: warning: a key on the command line can be seen by every process in " +
        "dom0 and stays in the shell's history; leave it out to be asked for it\n",
    );
  }
  return keyWord ?? await operator.askSecret("Key of the VM (64 hex digits, not shown): ");
}

/** From the running VM, after a person has compared its fingerprint. */
async function comparedKey(
  operator: Operator,
  vm: VmName,
  expected: string | undefined,
): Promise<string> {
  const { text, fingerprint } = await fetchKey(vm);
  if (expected !== undefined) {
    if (expected.trim() === fingerprint) return text;
    throw new UserError(`the key of ${vm} has the fingerprint ${fingerprint}`, [
      `--fingerprint says ${printable(expected)}; nothing was stored`,
    ]);
  }
  if (!operator.isTerminal) {
    throw new UserError(`there is nobody to compare the fingerprint of ${vm}: ${fingerprint}`, [
      `add "--fingerprint ${fingerprint}" if "qvm-remote key fingerprint" in ${vm} says the same`,
    ]);
  }
  operator.warn(
    `The key of ${vm} has the fingerprint\n  ${fingerprint}\n` +
      `In ${vm}, "qvm-remote key fingerprint" must print the same.\n`,
  );
  const reply = operator.ask('Is it the same? Type "yes" to store the key: ');
  if (reply?.trim() !== "yes") throw new UserError(`${vm} was not authorised`);
  return text;
}

async function store(
  operator: Operator,
  vm: VmName,
  keyText: string,
  right: Right,
): Promise<number> {
  const { paths, print } = operator;
  const { fingerprint, inForce } = await giveRight(operator, vm, keyText, right);
  print(`Authorized VM '${vm}'. Key stored in ${paths.keyFolder}/${vm}.key\n`);
  print(`Fingerprint: ${fingerprint}\n`);
  print(
    inForce === null
      ? 'The daemon is not running: "systemctl start qvm-remote-dom0" starts it.\n'
      : inForce
      ? "The running daemon serves it now.\n"
      : 'The running daemon has not taken it up: see "qvm-remote-dom0 status".\n',
  );
  return 0;
}

export async function revoke(operator: Operator, words: readonly string[]): Promise<number> {
  const { rest } = parseWords(words, {});
  expectWords(rest, 1, 1, "qvm-remote-dom0 revoke VM");
  requireRoot(operator, "revoke");
  return await takeAway(operator, vmFromWord(rest[0] ?? ""), "revoke");
}

/** revoke, and clear the VM's queue of what nobody waits for. */
export async function disconnect(operator: Operator, words: readonly string[]): Promise<number> {
  const { rest } = parseWords(words, {});
  expectWords(rest, 1, 1, "qvm-remote-dom0 disconnect VM");
  requireRoot(operator, "disconnect");
  const vm = vmFromWord(rest[0] ?? "");
  const code = await takeAway(operator, vm, "disconnect");
  try {
    await askQueue(vm, "clean");
    operator.print(`Cleaned the queue in '${vm}'.\n`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    operator.print(`The queue in '${vm}' was left as it is: ${error.message}\n`);
  }
  return code;
}

async function takeAway(
  operator: Operator,
  vm: VmName,
  action: "revoke" | "disconnect",
): Promise<number> {
  const { hadKey, inForce } = await takeRight(operator, vm, action);
  if (!hadKey) {
    operator.warn(`VM '${vm}' has no key\n`);
    return 1;
  }
  const ended = inForce ? " The daemon ended its session and its commands." : "";
  operator.print(`Revoked VM '${vm}'.${ended}\n`);
  return 0;
}

export async function keys(operator: Operator, words: readonly string[]): Promise<number> {
  const options = parseWords(words, { json: "flag" }, {}, "anywhere");
  expectWords(options.rest, 0, 0, "qvm-remote-dom0 keys [--json]");
  const { keys, faults } = await listKeys(operator.paths);
  for (const { vm, message } of faults) operator.warn(`${vm}: its key is not used: ${message}\n`);
  if (options.has("json")) {
    const rows = keys.map(({ vm, fingerprint, acceptsV1 }) => ({
      vm,
      fingerprint,
      accepts_v1: acceptsV1,
    }));
    operator.print(JSON.stringify(rows) + "\n");
  } else if (keys.length + faults.length === 0) operator.print("No VMs authorized.\n");
  for (const { vm, fingerprint, acceptsV1 } of options.has("json") ? [] : keys) {
    operator.print(`${vm.padEnd(32)}${fingerprint}${acceptsV1 ? "  accepts v1" : ""}\n`);
  }
  return faults.length === 0 ? 0 : 1;
}
