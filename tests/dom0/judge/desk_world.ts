// SPDX-License-Identifier: GPL-2.0-or-later
/** A desk on folders of its own, with a clock that stands still, and requests for it. @module */

import { createPlanBoard } from "../../../dom0/plans/plan_board.ts";
import type { Undoing } from "../../../dom0/undo/undoing.ts";
import { ParameterError } from "../../../dom0/operations/parameter.ts";
import { parseAuthKey } from "../../../shared/protocol/auth_key.ts";
import { type Bytes, utf8 } from "../../../shared/protocol/bytes.ts";
import { parseEnvelope, sealEnvelope } from "../../../shared/protocol/envelope.ts";
import type { RefusalReason } from "../../../shared/protocol/refusal.ts";
import { v1Token } from "../../../shared/protocol/v1.ts";
import { type Audit, newestRecords, openAudit } from "../../../dom0/record/audit_log.ts";
import { type Config, DEFAULT_CONFIG } from "../../../dom0/settings/config.ts";
import type { Job } from "../../../dom0/judge/job.ts";
import type { StoredKey } from "../../../dom0/settings/key_store.ts";
import {
  type Ledger,
  type LedgerDisk,
  ledgerFile,
  openLedger,
} from "../../../dom0/record/ledger.ts";
import { createGrants } from "../../../dom0/approval/grants.ts";
import type { FreeBytes } from "../../../dom0/payload/free_bytes.ts";
import { createPayloadStore } from "../../../dom0/payload/payload_store.ts";
import { createParkedFiles } from "../../../dom0/approval/parked_files.ts";
import { createParking, type Parking } from "../../../dom0/approval/parking.ts";
import type { Informing } from "../../../dom0/judge/informing.ts";
import type { Authority } from "../../../dom0/judge/verdict.ts";
import type { RuleOptions } from "../../../dom0/policy/rule.ts";
import type { ReadOperation } from "../../../dom0/run/read_operation.ts";
import { createOutcomeStore, type OutcomeStore } from "../../../dom0/record/outcome_store.ts";
import { type Recognised, recogniseNamed } from "../../../dom0/operations/recognise.ts";
import type { Judgement } from "../../../dom0/policy/judge.ts";
import type { Action } from "../../../dom0/policy/rule.ts";
import { type Admission, createAdmission } from "../../../dom0/judge/admission.ts";
import type { Received } from "../../../dom0/judge/answers.ts";
import { createRequestDesk, type RequestDesk } from "../../../dom0/judge/request_desk.ts";
import type { RequestEvent } from "../../../dom0/judge/request_event.ts";
import { createScheduler, type Scheduler } from "../../../dom0/run/scheduler.ts";
import { sessionGroups } from "../../../dom0/run/session_groups.ts";
import { createWardens } from "../../../dom0/run/wardens.ts";
import {
  auditPaths,
  judgedAs,
  KEY,
  OTHER_KEY_TEXT,
  requestFields,
  requestId,
  type RequestWishes,
  stoppedClock,
  type TestClock,
  withFolder,
  WORK,
} from "../fixture.ts";
import { createSeat, type TestSeat } from "./seat.ts";

export const STORED: StoredKey = { key: KEY, acceptsV1: false };
export const STORED_V1: StoredKey = { key: KEY, acceptsV1: true };
export const OTHER_KEY = await parseAuthKey(OTHER_KEY_TEXT);

/** In the environment of every command of these tests, and of no other. */
export const MARKS = `desk-test-${Deno.pid}-`;

/** What a test changes while a desk works. */
export interface Wishes {
  action: Action;
  closed: RefusalReason | null;
  config: Config;
  /** Words that the request is recognised as, whatever it says. */
  readonly argvs?: readonly (readonly string[])[];
  /** What it is recognised as, with its own words. */
  recognised?: Recognised;
  /** What is wrong with the operation that it names. */
  readonly fault?: string;
  /** Whether a person can be asked, and what is read in dom0 for that person. */
  readonly asks?: ReadOperation;
  /** Of the rule. */
  readonly ruleOptions?: RuleOptions;
  /** Of the disk that takes payloads. */
  readonly freeBytes?: FreeBytes;
  readonly ledgerDisk?: (disk: LedgerDisk) => LedgerDisk;
  readonly store?: (store: OutcomeStore) => OutcomeStore;
  readonly audit?: (audit: Audit) => Audit;
}

export interface World {
  readonly folder: string;
  readonly clock: TestClock;
  readonly wishes: Wishes;
  readonly desk: RequestDesk;
  readonly admission: Admission;
  readonly ledger: Ledger;
  readonly scheduler: Scheduler;
  /** Of a world that asks. */
  readonly parking: Parking;
  readonly audit: Audit;
  /** The events of the audit, as "event" or "event reason". */
  events(): readonly string[];
  /** Another desk on the same folders, as after a crash; this one is told nothing. */
  restart(): Promise<World>;
  close(): Promise<void>;
}

function judgementOf(wishes: Wishes, again: () => Promise<Judgement>): Judgement {
  return { ...judgedAs(wishes.action, recognisedFor(wishes), wishes.ruleOptions), again };
}

/** An operation of the table, as it is or with other words. */
function recognisedFor({ argvs, recognised }: Wishes): Recognised | null {
  if (argvs === undefined) return recognised ?? null;
  return { ...recogniseNamed("vm.restart", ["vm=lab"]), argvs };
}

/** Nothing can be read, so nothing can be undone. */
const NO_UNDOING: Undoing = {
  tools: { read: () => Promise.resolve(null), run: () => Promise.reject(new Error()) },
  keeper: {
    store: { put: () => Promise.resolve() },
    read: () => Promise.reject(new Error("nothing is read")),
    dateMs: () => 0,
  },
  undo: () => Promise.resolve([]),
  forgetOld() {},
};

const INFORMING: Informing = {
  about: () => "who answers\n",
  list: (vm) => Promise.resolve(`what ${vm} may do\n`),
  explain: (vm, { decision }) => Promise.resolve(`${vm}: ${decision.action}\n`),
};

export async function openWorld(folder: string, clock: TestClock, wishes: Wishes): Promise<World> {
  await Deno.mkdir(`${folder}/work`, { recursive: true });
  const same = <T>(value: T): T => value;
  const auditFile = `${folder}/log/audit.jsonl`;
  const realAudit = openAudit({ ...auditPaths(`${folder}/log`), dateMs: clock.dateMs });
  const ledger = await openLedger(
    (wishes.ledgerDisk ?? same)(ledgerFile(`${folder}/ledger`)),
    clock.dateMs,
  );
  const scheduler = createScheduler(wishes.config);
  const judge = async (): Promise<Judgement> => {
    await Promise.resolve();
    if (wishes.fault !== undefined) throw new ParameterError(wishes.fault);
    return judgementOf(wishes, judge);
  };
  const authority: Authority = { judge, closedBecause: () => wishes.closed };
  const audit = (wishes.audit ?? same)(realAudit);
  const parking = createParking({
    ...{ authority, audit, clock, notice: null, onChange() {}, grants: createGrants(clock) },
    read: wishes.asks ?? (() => Promise.reject(new Error("nothing is read"))),
    files: createParkedFiles(`${folder}/parked`),
    limits: () => wishes.config,
  });
  const admission = createAdmission();
  const desk = createRequestDesk({
    config: () => wishes.config,
    ...authority,
    ...{
      audit,
      informing: INFORMING,
      undoing: NO_UNDOING,
      plans: createPlanBoard({ folder: `${folder}/plans`, dateMs: clock.dateMs }),
      payloads: createPayloadStore({
        folder: `${folder}/payloads`,
        maxBytes: () => wishes.config.maxPayloadBytes,
        freeBytes: wishes.freeBytes ?? (() => Promise.resolve(Infinity)),
        dateMs: clock.dateMs,
      }),
      parking: wishes.asks === undefined ? null : parking,
      tellRun: null,
      tellBackedOff: null,
      admission,
    },
    isOnRecord: newestRecords(auditFile),
    ledger,
    store: (wishes.store ?? same)(createOutcomeStore(`${folder}/outcomes`)),
    scheduler,
    groups: sessionGroups(),
    wardens: createWardens({ newCgroup: () => "", dropCgroup() {} }),
    workFolder: `${folder}/work`,
    markPrefix: `${MARKS}${crypto.randomUUID().slice(0, 8)}-`,
    clock,
    onChange() {},
  });
  return {
    ...{ folder, clock, wishes, desk, admission, ledger, scheduler, parking, audit },
    events: () =>
      Deno.readTextFileSync(auditFile).trimEnd().split("\n").filter((line) => line !== "")
        .map((line) => JSON.parse(line))
        .map(({ event, reason }) => reason === undefined ? event : `${event} ${reason}`),
    restart: () => openWorld(folder, clock, { ...wishes }),
    async close() {
      desk.stop("stopping");
      await desk.idle();
      for (const job of desk.jobs()) job.close();
      await ledger.close();
      realAudit.close();
    },
  };
}

export async function withWorld(
  wishes: Partial<Wishes>,
  run: (world: World) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const world = await openWorld(folder, stoppedClock(), {
      ...{ action: "allow", closed: null, config: DEFAULT_CONFIG, ...wishes },
    });
    try {
      await run(world);
    } finally {
      await world.close();
    }
  });
}

/** Groups found in /proc are swept once for many commands, a moment later: after the test, too. */
export function deskTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

/** What a session hands to the desk. */
export async function v2(wishes: RequestWishes = {}, key = KEY): Promise<RequestEvent> {
  const request = parseEnvelope(await sealEnvelope(requestFields(wishes), key));
  return { kind: "request", seq: 1, request };
}

export async function v1(n = 1, body: Bytes = utf8("true\n"), key = KEY): Promise<RequestEvent> {
  const id = requestId(n);
  return {
    kind: "request-v1",
    seq: 1,
    request: { id, untrustedToken: await v1Token(key, id), body },
  };
}

export const script = (text: string, n = 1, more: RequestWishes = {}): Promise<RequestEvent> =>
  v2({ body: utf8(text), n, ...more });

/** All that waits for nothing but its turn has had it. */
export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

export interface Sent {
  readonly seat: TestSeat;
  readonly verdict: Received;
}

export async function send(
  { desk }: World,
  event: RequestEvent,
  { vm = WORK, stored = STORED, seat = createSeat() } = {},
): Promise<Sent> {
  return { seat, verdict: await desk.receive(vm, stored, event, seat) };
}

export function jobOf({ verdict }: Sent): Job {
  if (!("job" in verdict)) throw new Error("it was refused");
  return verdict.job;
}
