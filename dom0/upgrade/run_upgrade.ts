// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The steps of an upgrade, and the way back:
 *
 *     forward   keep -> stop -> install -> try -> start -> check -> done
 *     back      stop -> put-back -> try -> start -> check -> done
 *
 * The new programs are tried before they have touched any state that the old ones would have to read.
 * What fails before anything is installed changes nothing, and the daemon runs as it did. What fails
 * later goes back by itself. Each step can be done again from its beginning, so a program that was killed in
 * one, or a machine that lost its power, goes on by the record.
 *
 * @module
 */

import { errorText, UserError } from "../../shared/cli/program.ts";
import { isFinished, type Step, STEPS, type UpgradeRecord } from "./record.ts";

/** What the steps do. Each may be called again after it was cut off. */
export interface UpgradeActions {
  /** Copies what is there now. */
  keep(record: UpgradeRecord): Promise<void>;
  /** Nothing of a VM runs, and no daemon does, when it resolves. */
  stop(record: UpgradeRecord): Promise<void>;
  install(record: UpgradeRecord): Promise<void>;
  /** The programs that are there take a request from its signature to its outcome, beside all state. */
  try(record: UpgradeRecord): Promise<void>;
  /** If the daemon ran when all this began. */
  start(record: UpgradeRecord): Promise<void>;
  /** The daemon that was started does what it is told. */
  check(record: UpgradeRecord): Promise<void>;
  /** What keep() copied is in its place again. */
  putBack(record: UpgradeRecord): Promise<void>;
  /** On the disk when it resolves. */
  save(record: UpgradeRecord): Promise<void>;
  /** For the person, and the journal. */
  say(text: string): Promise<void>;
}

/** @returns the finished record. @throws {UserError} with what happened and where things stand */
export async function goOn(
  record: UpgradeRecord,
  actions: UpgradeActions,
): Promise<UpgradeRecord> {
  return record.way === "forward"
    ? await goForward(record, actions)
    : await goBack(record, actions);
}

async function goForward(record: UpgradeRecord, actions: UpgradeActions): Promise<UpgradeRecord> {
  let now = record;
  try {
    for (const step of stepsFrom(record)) {
      now = { ...now, step, touched: now.touched || step === "install" };
      await actions.save(now);
      await doStep(step, now, actions);
    }
  } catch (error) {
    const failure = `${now.step}: ${errorText(error)}`;
    if (!now.touched) return await abandon(now, failure, error, actions);
    if (now.step === "stop") {
      throw new UserError(`the upgrade has not gone on: ${errorText(error)}`, hintsOf(error));
    }
    await actions.say(`going back to ${now.from}: failed at the step ${failure}`);
    return await goBack({ ...now, way: "back", step: "stop", failure }, actions);
  }
  await actions.say(`upgraded; "qvm-remote-dom0 upgrade --rollback" goes back to ${now.from}`);
  return now;
}

/** Nothing was installed: what ran runs again, and the record says that this is over. */
async function abandon(
  record: UpgradeRecord,
  failure: string,
  error: unknown,
  actions: UpgradeActions,
): Promise<never> {
  await actions.start(record);
  await actions.save({ ...record, way: "back", step: "done", failure });
  throw new UserError(`not upgraded, and nothing was changed: ${errorText(error)}`, hintsOf(error));
}

async function goBack(record: UpgradeRecord, actions: UpgradeActions): Promise<UpgradeRecord> {
  let now = record;
  try {
    for (const step of STEPS.back) {
      now = { ...now, step };
      await actions.save(now);
      await doStep(step, now, actions);
    }
  } catch (error) {
    throw new UserError(`could not go back to ${now.from}: ${now.step}: ${errorText(error)}`, [
      ...hintsOf(error),
      'when that is mended: "qvm-remote-dom0 upgrade --resume"',
    ]);
  }
  await actions.say(`${now.from} is back`);
  if (now.failure === null) return now;
  throw new UserError(`not upgraded, ${now.from} is back: ${now.failure}`, [
    'see "journalctl -t qvm-remote-dom0" and "journalctl -u qvm-remote-dom0"',
  ]);
}

/** Nothing that is installed may be in use: the daemon may have been started since. */
function stepsFrom({ step }: UpgradeRecord): readonly Step[] {
  const from = step === "install" ? "stop" : step;
  const steps: readonly Step[] = STEPS.forward;
  return steps.slice(steps.indexOf(from));
}

async function doStep(step: Step, record: UpgradeRecord, actions: UpgradeActions): Promise<void> {
  switch (step) {
    case "keep":
      return await actions.keep(record);
    case "stop":
      return await actions.stop(record);
    case "install":
      return await actions.install(record);
    case "try":
      return await actions.try(record);
    case "start":
      return await actions.start(record);
    case "check":
      return await actions.check(record);
    case "put-back":
      return await actions.putBack(record);
    case "done":
      return;
    default:
      return step satisfies never;
  }
}

function hintsOf(error: unknown): readonly string[] {
  return error instanceof UserError ? error.hints : [];
}

/** The record with which a finished upgrade is taken back. @throws {UserError} there is nothing to take back */
export function backFrom(record: UpgradeRecord | undefined): UpgradeRecord {
  if (record === undefined) {
    throw new UserError("there was no upgrade that could be taken back");
  }
  if (record.way === "back") {
    if (!isFinished(record)) return record;
    throw new UserError(`the upgrade was taken back already: ${record.from} is there`);
  }
  if (!record.touched) {
    throw new UserError("the upgrade stopped before anything was changed", [
      'begin it again, or "qvm-remote-dom0 upgrade --resume"',
    ]);
  }
  return { ...record, way: "back", step: "stop", failure: null };
}
