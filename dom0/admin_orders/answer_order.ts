// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What the daemon does for the web admin: operations as the operator, and the operator's own
 * actions, by the functions of the command line. The record of each change names who asked.
 *
 * @module
 */

import { UserError } from "../../shared/cli/program.ts";
import { lockDown, unlock } from "../operator/lockdown.ts";
import { startAtBoot, startsAtBoot, turnOwnService } from "../operator/service.ts";
import { changePolicyFile, undoPolicyChange, type WantedText } from "../operator/policy_files.ts";
import { refuseUncertain, takeBack } from "../operator/undo.ts";
import type { Answer, Approve, Approver, Deny, Parking } from "../approval/parking.ts";
import type { CancelRequest } from "../judge/cancel_request.ts";
import { reasonOf } from "../operator/order_form.ts";
import { previewOf } from "../approval/preview.ts";
import { recogniseNamed } from "../operations/recognise.ts";
import type { JsonValue } from "../operations/operation.ts";
import { OrderError } from "../orders/order_file.ts";
import { checkChainFiles } from "../record/audit_files.ts";
import type { Audit } from "../record/audit_log.ts";
import type { Paths } from "../settings/paths.ts";
import { archiveAnswers } from "./archive_answers.ts";
import { configAnswers } from "./config_answers.ts";
import { keyAnswers } from "./key_answers.ts";
import type { OrderFields } from "./order_fields.ts";
import {
  checkText,
  describePolicy,
  describePolicyChanges,
  explain,
  type PolicyParts,
} from "./policy_answers.ts";
import { explainCall } from "./qrexec_answers.ts";
import { readRecordPage } from "./record_pages.ts";
import {
  describeUndoable,
  describeUndoState,
  findUndoable,
  type UndoParts,
} from "./undo_answers.ts";
import { beginPlan, type OperatorPlanOptions, type PlannedChange } from "./operator_plan.ts";
import type { OperatorRuns } from "./operator_runs.ts";
import type { OperatorRun } from "./run_as_operator.ts";
import type { DoOrder } from "./take_admin_orders.ts";

export interface AnswerParts {
  readonly paths: Paths;
  readonly run: OperatorRun;
  readonly runs: OperatorRuns;
  readonly plan: OperatorPlanOptions;
  readonly policy: PolicyParts;
  readonly audit: Audit;
  readonly undo: UndoParts;
  /** null: in this daemon no request can wait. */
  readonly parking: Parking | null;
  readonly cancel: CancelRequest;
}

type AnswerTo = (order: OrderFields, by: string) => Promise<JsonValue>;
type Answers = ReadonlyMap<string, AnswerTo>;

export function createAnswers(parts: AnswerParts): DoOrder {
  const answers = answersOf(parts);
  return async (order) => {
    const answer = answers.get(order.text("order"));
    if (answer === undefined) throw new OrderError("an unknown order");
    return await answer(order, order.text("by"));
  };
}

function answersOf(parts: AnswerParts): Answers {
  return new Map([
    ...runAnswers(parts),
    ...undoAnswers(parts),
    ...recordAnswers(parts),
    ...policyAnswers(parts),
    ...approvalAnswers(parts),
    ...operatorAnswers(parts),
    ...keyAnswers(parts.paths),
    ...configAnswers(parts.paths),
    ...archiveAnswers(parts.paths, parts.policy.facts),
  ]);
}

/** What runs for the operator. */
function runAnswers({ run, runs, plan, undo, cancel }: AnswerParts): Answers {
  return new Map<string, AnswerTo>([
    ["operation", (order, by) => run.operation(order.text("name"), order.pairs("values"), by)],
    [
      "begin-operation",
      (order, by) => run.beginOperation(order.text("name"), order.pairs("values"), by),
    ],
    ["preview", async (order) => {
      const pairs = Object.entries(order.pairs("values")).map(([key, value]) => `${key}=${value}`);
      const { rows, unknown } = await previewOf(
        recogniseNamed(order.text("name"), pairs),
        undo.tools.read,
      );
      return { rows: rows.map((row) => ({ ...row })), unknown };
    }],
    ["begin-shell", (order, by) => run.beginScript(order.text("script"), by)],
    ["begin-plan", (order, by) => beginPlan(order.list("changes").map(changeOf), by, plan)],
    ["cancel", async (order, by) => {
      const id = order.text("id");
      if (!runs.stop(id, "cancelled")) throw new UserError("It has ended already.");
      plan.audit.record("operator", { action: "cancelled", id, by });
      await plan.audit.sync();
      return {};
    }],
    [
      "cancel-request",
      (order, by) => answered(cancel({ vm: order.text("vm"), id: order.text("id") }, by)),
    ],
  ]);
}

function changeOf(order: OrderFields): PlannedChange {
  return {
    operation: order.text("operation"),
    values: order.pairs("values"),
    before: order.text("before"),
  };
}

function undoAnswers({ paths, undo }: AnswerParts): Answers {
  return new Map<string, AnswerTo>([
    ["undoable", () => describeUndoable(undo)],
    ["undo", async (order, by) => {
      const wanted = await findUndoable(undo, order.text("id"));
      if (wanted === null) throw new UserError("It is undone already, or no longer kept.");
      return { id: await takeBack({ paths, invokedBy: by }, wanted, UNSEEN, undo.tools) };
    }],
    [
      "undo-state",
      (order) => describeUndoState(undo, { vm: order.text("vm"), id: order.text("id") }),
    ],
    ["undo-plan", async (order, by) => {
      const wanted = { id: order.text("id"), vm: order.text("vm"), step: null };
      return { id: await takeBack({ paths, invokedBy: by }, wanted, UNSEEN, undo.tools) };
    }],
  ]);
}

function recordAnswers({ paths, audit }: AnswerParts): Answers {
  return new Map<string, AnswerTo>([
    ["records", (order) =>
      readRecordPage(paths.auditFile, {
        vm: order.textOrNull("vm"),
        failedOnly: order.flag("failedOnly"),
        text: order.text("text"),
        sinceMs: order.number("sinceMs"),
        before: order.numberOrNull("before"),
        limit: order.number("limit"),
      })],
    ["verify", () => verify(paths)],
    ["note", async (order, by) => {
      audit.record("operator", { action: order.text("action"), by });
      await audit.sync();
      return {};
    }],
  ]);
}

function policyAnswers({ policy, paths }: AnswerParts): Answers {
  return new Map<string, AnswerTo>([
    ["policy", () => describePolicy(policy)],
    ["check-policy", (order) => checkText(policy, wantedText(order))],
    ["change-policy", async (order, invokedBy) => {
      const wanted = { ...wantedText(order), seen: order.textOrNull("seen") };
      await changePolicyFile({ paths, invokedBy }, wanted);
      return {};
    }],
    ["policy-changes", () => describePolicyChanges(policy, paths)],
    [
      "undo-policy",
      async (order, invokedBy) => ({
        id: await undoPolicyChange({ paths, invokedBy }, order.text("id")),
      }),
    ],
    ["explain", (order) => {
      const draft = order.textOrNull("file") === null ? null : wantedText(order);
      return explain(policy, order.text("vm"), order.words("words"), draft);
    }],
    [
      "explain-call",
      (order) =>
        explainCall({ root: paths.installation.root, facts: policy.facts }, {
          source: order.text("source"),
          target: order.text("target"),
          service: order.text("service"),
        }),
    ],
  ]);
}

function wantedText(order: OrderFields): WantedText {
  return { file: order.text("file"), text: order.textOrNull("text") };
}

/** What waits for a person. */
function approvalAnswers({ parking, audit }: AnswerParts): Answers {
  return new Map<string, AnswerTo>([
    ["approve", (order, by) => answered(parking?.approve(approveOf(order), webOf(by)))],
    ["deny", (order, by) => answered(parking?.deny(denyOf(order), webOf(by)))],
    ["revoke-grant", (order, by) => {
      const grant = parking?.grants.revoke(order.number("grant")) ?? null;
      if (grant === null) throw new UserError("That grant has ended.");
      const { number, vm, operation, targets } = grant;
      audit.record("grant-revoked", { grant: number, vm, operation, targets, approver: by });
      return Promise.resolve({});
    }],
  ]);
}

/** The operator's own actions. */
function operatorAnswers({ paths }: AnswerParts): Answers {
  return new Map<string, AnswerTo>([
    ["autostart", async () => ({ isOn: await startsAtBoot() })],
    ["set-autostart", async (order, by) => {
      await startAtBoot({ paths, invokedBy: by }, order.flag("isOn"));
      return {};
    }],
    ["turn-daemon", async (order, by) => {
      const verb = order.text("verb");
      if (verb !== "restart" && verb !== "stop") throw new OrderError("verb is restart or stop");
      await turnOwnService({ paths, invokedBy: by }, verb);
      return {};
    }],
    ["lockdown", async (_order, by) => {
      await lockDown({ paths, invokedBy: by });
      return { text: "Locked down: nothing runs, and nothing will until unlock." };
    }],
    ["unlock", async (_order, by) => {
      if (!await unlock({ paths, invokedBy: by })) throw new UserError("It was not locked down.");
      return { text: "Unlocked." };
    }],
  ]);
}

/** A person at a page of the web admin. */
function webOf(by: string): Approver {
  return { user: by, via: "web" };
}

function approveOf(order: OrderFields): Approve {
  return { ...namedIn(order), forSeconds: order.numberOrNull("forSeconds"), allLike: false };
}

function denyOf(order: OrderFields): Deny {
  const reason = order.text("reason");
  return { ...namedIn(order), reason: reason === "" ? null : reasonOf(reason) };
}

function namedIn(
  order: OrderFields,
): { readonly vm: string; readonly id: string; readonly hash: string } {
  return { vm: order.text("vm"), id: order.text("id"), hash: order.text("hash") };
}

/** @throws {UserError} what was not done, and why */
async function answered(answer: Promise<Answer> | undefined): Promise<JsonValue> {
  const { ok, text } = await answer ??
    { ok: false, text: "this daemon asks nobody, so nothing waits" };
  if (!ok) throw new UserError(text);
  return { text };
}

async function verify(paths: Paths): Promise<JsonValue> {
  const { records, findings, anchored } = await checkChainFiles(paths);
  const [first] = findings;
  const text = first === undefined
    ? `${records} records, each follows the one before${
      anchored === null ? "" : `; anchored at ${anchored}`
    }`
    : `${first.file}${first.line === null ? "" : `:${first.line}`}: ${first.why}`;
  return { isWhole: first === undefined, records, text };
}

/** There is no terminal to show it on: a page shows what would be undone, and what was. */
const UNSEEN = { agree: refuseUncertain, onStep: () => {} };
