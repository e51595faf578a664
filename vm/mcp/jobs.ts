// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Requests of this server. Each is sent as with --detach, so that it outlives a call, the client and
 * the VM; a call follows it for as long as a client waits, and says how far it is:
 *
 *     sent --answer--------------------------------> done, failed, refused, cancelled
 *       | a person is to decide --------------------> pending_approval: job_wait goes on
 *       | 25 s are over ----------------------------> running: job_wait goes on
 *       | the client cancels, or leaves in the call -> dom0 is told to end it
 *       | this program is killed in the call -------> the queue service tells dom0 to end it
 *
 * A client that leaves in job_wait leaves only the wait: it knows the job, and may come back.
 *
 * @module
 */

import { UserError } from "../../shared/cli/program.ts";
import type { Command } from "../../shared/protocol/command.ts";
import type { RequestFlag } from "../../shared/protocol/flags.ts";
import type { AuthKey } from "../../shared/protocol/auth_key.ts";
import { utf8 } from "../../shared/protocol/bytes.ts";
import { type Spooled, spoolPayload } from "../remote/files/payload_file.ts";
import type { RequestId } from "../../shared/protocol/request_id.ts";
import { createExchange } from "../remote/client/create_exchange.ts";
import { describeEnd } from "../remote/client/end_text.ts";
import type { Exchange } from "../remote/client/exchange.ts";
import { cancelJob, expectNotGone } from "../remote/client/job.ts";
import { reopenRequest } from "../remote/client/request_v2.ts";
import { type RequestEnd, runRequest } from "../remote/client/run_request.ts";
import { farewellOf, keepAnswer } from "../remote/commands/deliver.ts";
import { sendDetached } from "../remote/commands/detach.ts";
import type { AnswerForm } from "../remote/files/answer_form.ts";
import { audit } from "../remote/files/audit_log.ts";
import { forgetDetached, readDetached } from "../remote/files/detached.ts";
import { readKey } from "../remote/files/key_file.ts";
import { detachedPath, type Layout } from "../remote/files/layout.ts";
import { lockWithin } from "../remote/files/lock.ts";
import { letGo } from "../remote/files/owned_file.ts";
import { after } from "../remote/files/timer.ts";
import { CONNECT_MS } from "../remote/client/ask_dom0.ts";
import { saidOfEnd, saidOfGoing, saidOfPast } from "./job_said.ts";
import { createLeave } from "../remote/client/leave.ts";
import type { Said } from "./said.ts";

export interface Order {
  readonly command: Command;
  readonly flags: ReadonlySet<RequestFlag>;
  readonly why: string | null;
  readonly timeoutMs: number;
  readonly form: AnswerForm;
  /** What goes with it. */
  readonly data?: string;
}

/** The call of a client that a request is followed for. */
export interface Follow {
  /** Aborted when the client cancels the call, or is gone. */
  readonly signal: AbortSignal;
  readonly waitMs: number;
  /** A person in dom0 is to decide: what that person is shown, as far as this VM may know. */
  readonly onParked: (order: Order) => Promise<Pick<Said, "whatThePersonSees" | "expiresAt">>;
}

export interface From {
  readonly offset: number;
  /** What its output is read as when it has ended. */
  readonly form: AnswerForm;
}

export interface Jobs {
  /** Sends it and follows it. @throws {UserError} */
  submit(order: Order, follow: Follow): Promise<Said>;
  /** Follows what was sent before, by this process or another one. */
  wait(id: RequestId, follow: Omit<Follow, "onParked">): Promise<Said>;
  /** How far it is, with output from there. */
  look(id: RequestId, from: From): Promise<Said>;
  cancel(id: RequestId, signal: AbortSignal): Promise<Said>;
}

/** How long a cancelled command may take to end before the answer says that it was told to. */
const CANCEL_WAIT_MS = 6_000;
const LOCK_PROBE_MS = 200;
const AS_TEXT: From = { offset: 0, form: "output" };

export function createJobs(layout: Layout): Jobs {
  return {
    submit: (order, follow) => submit(layout, order, follow),
    wait: (id, follow) => wait(layout, id, follow),
    look: (id, from) => look(layout, id, from),
    async cancel(id, signal) {
      const detached = await readDetached(layout, id);
      if (detached === undefined) return past(layout, id, AS_TEXT);
      await cancelJob(layout, detached);
      audit(layout, `CANCEL id=${id} by=mcp`);
      return await wait(layout, id, { signal, waitMs: CANCEL_WAIT_MS });
    },
  };
}

async function submit(layout: Layout, order: Order, follow: Follow): Promise<Said> {
  const key = await readKey(layout);
  const brings = order.data === undefined ? null : await spoolText(layout, order.data);
  try {
    return await submitWith(layout, { ...order, key, brings }, follow);
  } finally {
    brings?.drop();
  }
}

/** The bytes of the text, as what a request brings. */
async function spoolText(layout: Layout, text: string): Promise<Spooled> {
  let left: Uint8Array = utf8(text.toWellFormed());
  return await spoolPayload(layout, {
    read(into) {
      const next = left.subarray(0, into.length);
      into.set(next);
      left = left.subarray(next.length);
      return Promise.resolve(next.length === 0 ? null : next.length);
    },
  });
}

interface ReadyOrder extends Order {
  readonly key: AuthKey;
  readonly brings: Spooled | null;
}

async function submitWith(layout: Layout, order: ReadyOrder, follow: Follow): Promise<Said> {
  const exchange = await createExchange({
    ...order,
    layout,
    connectMs: CONNECT_MS,
    protocol: 2,
    detachedForm: order.form,
    isHeld: true,
    interrupts: createLeave(),
  }, () => {});
  if (follow.signal.aborted) return { status: "cancelled", reason: "nothing was sent" };
  const held = await sendDetached(layout, exchange, order.command);
  const { id } = exchange;
  let going: Going;
  try {
    going = await followExchange(layout, exchange, follow, CONNECT_MS);
  } finally { // only now will its id be known to somebody
    letGo(layout, id);
    held[Symbol.dispose]();
  }
  if (going.kind === "left") {
    if (!going.isParked) return saidOfGoing(layout, id, false, 0);
    return { ...saidOfGoing(layout, id, true, 0), ...await follow.onParked(order) };
  }
  return await conclude(layout, order, going.end, id);
}

async function wait(
  layout: Layout,
  id: RequestId,
  follow: Omit<Follow, "onParked">,
): Promise<Said> {
  const detached = await readDetached(layout, id);
  if (detached === undefined) return past(layout, id, AS_TEXT);
  using lock = await lockWithin(detachedPath(layout, id), LOCK_PROBE_MS);
  if (lock === null) return { status: "running", id, reason: "another call waits for its end" };
  expectNotGone(layout, detached);
  const exchange = reopenRequest(layout, await readKey(layout), detached);
  const going = await followExchange(layout, exchange, follow, Infinity);
  if (going.kind === "left") return saidOfGoing(layout, id, going.isParked, 0);
  return await conclude(layout, detached, going.end, id);
}

async function look(layout: Layout, id: RequestId, from: From): Promise<Said> {
  if (await readDetached(layout, id) === undefined) return past(layout, id, from);
  const said = await wait(layout, id, { signal: new AbortController().signal, waitMs: 0 });
  if (from.offset === 0) return said;
  const isOver = said.status !== "running" && said.status !== "pending_approval";
  if (isOver) return past(layout, id, from);
  return saidOfGoing(layout, id, said.status === "pending_approval", from.offset);
}

function past(layout: Layout, id: RequestId, from: From): Said {
  const said = saidOfPast(layout, id, from);
  if (said !== null) return said;
  throw new UserError(`no such job: ${id}`);
}

type Going =
  | { readonly kind: "ended"; readonly end: RequestEnd }
  | { readonly kind: "left"; readonly isParked: boolean };

/** A job that waits for a person is left at once if it has just come there: that person may take hours. */
async function followExchange(
  layout: Layout,
  exchange: Exchange,
  { signal, waitMs, ...more }: Omit<Follow, "onParked"> & Partial<Follow>,
  connectMs: number,
): Promise<Going> {
  const leave = createLeave();
  let isParked = false;
  let hasLeft = false;
  let isWithdrawn = false;
  let endTimer = after(waitMs, () => leaveNow());
  const leaveNow = (): void => {
    hasLeft = true;
    leave.now();
  };
  const cancel = (): void => {
    if (more.onParked === undefined) return leaveNow(); // it only waited
    isWithdrawn = exchange.withdraw();
    if (!isWithdrawn) exchange.cancel();
    audit(layout, `CANCEL id=${exchange.id} by=mcp-client`);
    if (isWithdrawn) leaveNow();
    else {
      endTimer();
      endTimer = after(CANCEL_WAIT_MS, leaveNow);
    }
  };
  if (signal.aborted) cancel();
  else signal.addEventListener("abort", cancel);
  const discard = () => Promise.resolve();
  const left: Exchange = {
    ...exchange,
    canCancel: false,
    publish: () => Promise.resolve({ [Symbol.dispose]() {} }), // it was
    withdraw: () => !hasLeft && exchange.withdraw(),
  };
  try {
    const end = await runRequest(left, { answerMs: Infinity, connectMs }, {
      layout,
      interrupts: leave,
      stdout: discard,
      stderr: discard,
      onPublished() {},
      onWaiting() {},
      onParked(isNow) {
        isParked = isNow;
        if (isNow && more.onParked !== undefined) leaveNow();
      },
    });
    if (isWithdrawn) return { kind: "ended", end: { kind: "withdrawn", cause: "interrupt" } };
    const isRead = end.kind !== "answered" || end.cause === null;
    if (end.kind === "no-answer" || !isRead) return { kind: "left", isParked };
    return { kind: "ended", end };
  } finally {
    endTimer();
    signal.removeEventListener("abort", cancel);
  }
}

/** The answer goes into the history, where it is read from. */
async function conclude(
  layout: Layout,
  { timeoutMs, form }: Pick<Order, "timeoutMs" | "form">,
  end: RequestEnd,
  id: RequestId,
): Promise<Said> {
  const text = describeEnd(id, timeoutMs, end, await farewellOf(layout, end));
  audit(layout, text.auditLine);
  keepAnswer(layout, id, null);
  forgetDetached(layout, id);
  return saidOfEnd(layout, { id, form, end, text });
}
