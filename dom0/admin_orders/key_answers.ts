// SPDX-License-Identifier: GPL-2.0-or-later
/** Keys, for the web admin: the operator's own actions, bound to the fingerprint that was compared. @module */

import { UserError } from "../../shared/cli/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { vmFromWord } from "../operator/vm_word.ts";
import { requireVm } from "../operator/require_vm.ts";
import { type JsonValue } from "../operations/operation.ts";
import { type Acting, recordAction } from "../operator/acting.ts";
import { fetchKey, giveRight, listKeys, type Right, takeRight } from "../operator/rights.ts";
import { GRANTS, parseGrant, parseScope } from "../policy/grant_file.ts";
import { askQueue } from "../session/queue_question.ts";
import type { Paths } from "../settings/paths.ts";
import { OrderError } from "../orders/order_file.ts";
import type { OrderFields } from "./order_fields.ts";

type AnswerTo = (order: OrderFields, by: string) => Promise<JsonValue>;

export function keyAnswers(paths: Paths): ReadonlyMap<string, AnswerTo> {
  return new Map<string, AnswerTo>([
    ["keys", () => describeKeys(paths)],
    ["fingerprint", fingerprintOf],
    ["authorize", (order, invokedBy) => authorizeVm(order, { paths, invokedBy })],
    ["queue", (order, invokedBy) => questionQueue(order, { paths, invokedBy })],
    ["queue-entries", queueEntries],
    ["revoke", async (order, invokedBy) => {
      const vm = vmFromWord(order.text("vm"));
      const { hadKey } = await takeRight({ paths, invokedBy }, vm, "revoke");
      if (!hadKey) throw new UserError(`VM '${vm}' has no key`);
      return { text: `Revoked VM '${vm}'.` };
    }],
  ]);
}

async function describeKeys(paths: Paths): Promise<JsonValue> {
  const { keys, faults } = await listKeys(paths);
  return { keys: keys.map((key) => ({ ...key })), faults: faults.map((fault) => ({ ...fault })) };
}

/** The key itself stays here: the page only gets its fingerprint. */
async function fingerprintOf(order: OrderFields): Promise<JsonValue> {
  const { fingerprint } = await fetchKey(vmFromWord(order.text("vm")));
  return { fingerprint };
}

/** @throws {UserError} nothing was stored, and why */
async function authorizeVm(order: OrderFields, acting: Acting): Promise<JsonValue> {
  const vm = vmFromWord(order.text("vm"));
  const right = rightOf(order); // before anybody is asked
  await requireVm(vm);
  const typed = order.textOrNull("key");
  const text = typed ?? await comparedKey(vm, order.text("fingerprint"));
  const { fingerprint, inForce } = await giveRight(acting, vm, text, right);
  return { fingerprint, inForce };
}

function rightOf(order: OrderFields): Right {
  const word = order.text("grant");
  const grant = parseGrant(word);
  if (grant === null) {
    throw new OrderError(`${printable(word)} is no grant: ${GRANTS.join(", ")}`);
  }
  const scope = order.textOrNull("scope");
  return {
    grant,
    scope: scope === null ? null : parseScope(scope),
    acceptsV1: order.flag("acceptsV1"),
  };
}

/** Fetched again: the VM may have a new key since the person looked. */
async function comparedKey(vm: VmName, compared: string): Promise<string> {
  const { text, fingerprint } = await fetchKey(vm);
  if (fingerprint === compared) return text;
  throw new UserError(
    `The key of ${vm} is not the one that was compared: its fingerprint is ${fingerprint}. ` +
      "Nothing was stored.",
  );
}

async function questionQueue(order: OrderFields, acting: Acting): Promise<JsonValue> {
  const vm = vmFromWord(order.text("vm"));
  const what = order.text("what");
  if (what !== "status" && what !== "clean" && what !== "recover") {
    throw new OrderError("what is status, clean or recover");
  }
  const answer = await askQueue(vm, what);
  if (answer.kind !== "report") throw new UserError(`${vm} answered another question`);
  if (what !== "status") await recordAction(acting, `queue-${what}`, { vms: [vm] });
  const { pending, running, results, removed } = answer;
  return { pending, running, results, removed };
}

/** What lies in it, by folder; every name is the VM's. */
async function queueEntries(order: OrderFields): Promise<JsonValue> {
  const vm = vmFromWord(order.text("vm"));
  const answer = await askQueue(vm, "list");
  if (answer.kind !== "listing") throw new UserError(`${vm} answered another question`);
  return answer.entries.map(({ folder, bytes, untrustedName }) => ({
    folder,
    bytes,
    name: untrustedName,
  }));
}
