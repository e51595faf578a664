// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Looks at what a request needs on its way, from the key to dom0's answer. dom0 is asked only if it is
 * connected, so this ends soon where it is not. Nothing runs there.
 *
 * @module
 */

import { errorText, UserError } from "../../../shared/cli/program.ts";
import { dateMs, spanMs } from "../../../shared/io/clock.ts";
import { isLocked } from "../../../shared/io/file_lock.ts";
import { exists } from "../../../shared/io/files.ts";
import { VERSION } from "../../../shared/io/version.ts";
import { NO_FLAGS } from "../../../shared/protocol/flags.ts";
import { type Access, readAccess } from "../client/access.ts";
import { askDom0, NoAnswerError } from "../client/ask_dom0.ts";
import { type Farewell, readConnection } from "../files/connection.ts";
import { readKey } from "../files/key_file.ts";
import type { Layout } from "../files/layout.ts";
import { readVmName } from "../files/vm_name_file.ts";
import { bad, type Finding, ok, unknown } from "./finding.ts";
import {
  type About,
  clockFinding,
  parseAbout,
  policyFinding,
  versionFinding,
  versionUnknown,
} from "./told.ts";

/** With what comes before and after, within the 3 s that a person is promised. */
const ANSWER_MS = 2_000;

/** @param service the file by which qrexec finds the queue's service */
export async function examine(layout: Layout, service: string): Promise<readonly Finding[]> {
  const key = await keyFinding(layout);
  const connection = await readConnection(layout);
  const isConnected = connection.kind === "connected";
  const served = await serviceFinding(layout, service, isConnected);
  if (!isConnected || key.state !== "ok") {
    const session = isConnected
      ? ok("session", "dom0 is connected")
      : await notConnected(layout, connection.farewell);
    return [key, served, session, ...notAsked(isConnected ? "key" : "session")];
  }
  return [key, served, ...await askAll(layout)];
}

async function keyFinding(layout: Layout): Promise<Finding> {
  try {
    return ok("key", (await readKey(layout)).fingerprint);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return bad("key", error.message, error.hints[0] ?? 'run "qvm-remote key gen"');
  }
}

async function serviceFinding(
  layout: Layout,
  service: string,
  isConnected: boolean,
): Promise<Finding> {
  if (isConnected) return ok("service", "qvmremote.Queue serves the queue");
  if (await isLocked(layout.lock).catch(() => false)) {
    return ok("service", "qvmremote.Queue runs, and dom0 has not spoken to it");
  }
  if (await exists(service)) return ok("service", "installed; dom0 starts it when it connects");
  const remedy = "install qvm-remote here, or in this VM's template";
  return bad("service", `${service} is not there: dom0 cannot connect`, remedy);
}

const FAREWELL_TEXT: Readonly<Record<Farewell, readonly [text: string, remedy: string]>> = {
  "revoked": ["its right was taken from this VM", '"qvm-remote-dom0 authorize VM"'],
  "locked-down": ["dom0 is locked down", '"qvm-remote-dom0 unlock"'],
  "stopping": ["the daemon there was stopped", '"qvm-remote-dom0 enable"'],
};

async function notConnected(layout: Layout, farewell: Farewell | null): Promise<Finding> {
  if (farewell !== null) {
    const [why, remedy] = FAREWELL_TEXT[farewell];
    return bad("session", `dom0 is not connected: ${why}`, `in dom0, run ${remedy}`);
  }
  const isKnown = await readVmName(layout).catch(() => undefined) !== undefined;
  return bad(
    "session",
    isKnown ? "dom0 is not connected" : "dom0 has never connected to this VM",
    isKnown
      ? 'in dom0, "qvm-remote-dom0 status" says whether it serves this VM'
      : 'in dom0, run "qvm-remote-dom0 authorize VM", then "qvm-remote-dom0 enable"',
  );
}

function notAsked(first: string): readonly Finding[] {
  const text = `not asked: see ${first}`;
  return [
    unknown("clock", text),
    unknown("policy", text),
    versionUnknown(VERSION, false),
  ];
}

/** Of dom0: an answer, or why there is none. */
type Asked<T> = { readonly value: T } | { readonly error: NoAnswerError | UserError };

async function asked<T>(question: Promise<T>): Promise<Asked<T>> {
  try {
    return { value: await question };
  } catch (error) {
    if (error instanceof NoAnswerError || error instanceof UserError) return { error };
    throw error;
  }
}

async function askAll(layout: Layout): Promise<readonly Finding[]> {
  const [startMs, askedAtMs] = [spanMs(), dateMs()];
  let answeredAtMs = askedAtMs;
  const about = askDom0(layout, {
    command: { mode: "op", name: "about", pairs: [] },
    flags: NO_FLAGS,
    why: null,
    waitMs: ANSWER_MS,
  }).finally(() => answeredAtMs = askedAtMs + (spanMs() - startMs));
  const [self, access] = await Promise.all([asked(about), asked(readAccess(layout, ANSWER_MS))]);
  const tookMs = Math.round(answeredAtMs - askedAtMs);
  return [
    sessionFinding(self, access, tookMs),
    ...selfFindings(self, askedAtMs, answeredAtMs),
    "value" in access ? policyFinding(access.value) : unknown("policy", reasonOf(access.error)),
  ].sort(inOrder);
}

const ORDER = ["session", "clock", "policy", "version"];
const inOrder = (one: Finding, other: Finding): number =>
  ORDER.indexOf(one.subject) - ORDER.indexOf(other.subject);

/** Any word of dom0's is an answer, except those that say that this VM is not the one it was. */
function sessionFinding(self: Asked<unknown>, access: Asked<Access>, tookMs: number): Finding {
  if ("value" in self || "value" in access) {
    return ok("session", `dom0 is connected, and answered in ${tookMs} ms`);
  }
  const { error } = self;
  if (refusalOf(error) === "not-known") return ok("session", "dom0 is connected; it is older");
  const remedy = error instanceof NoAnswerError ? hintOf(error) : error.hints[0];
  return bad(
    "session",
    `dom0 is connected; ${reasonOf(error)}`,
    remedy ?? 'in dom0, look at "qvm-remote-dom0 status"',
  );
}

/** What dom0's daemon of before answers to a question that it does not know. */
const OLDER = new Set(["bad-operation", "not-known"]);

function selfFindings(
  self: Asked<unknown>,
  askedAtMs: number,
  answeredAtMs: number,
): readonly Finding[] {
  const about: About | null = "value" in self ? parseAbout(self.value) : null;
  if (about !== null) {
    return [
      clockFinding(about, askedAtMs, answeredAtMs),
      versionFinding(VERSION, about.version),
    ];
  }
  const refusal = "error" in self ? refusalOf(self.error) : null;
  const version = versionUnknown(VERSION, OLDER.has(refusal ?? ""));
  if (refusal === "stale" || refusal === "future") {
    return [bad("clock", "the clocks of this VM and dom0 differ", "run qvm-sync-clock"), version];
  }
  const isAccepted = refusal === "bad-operation";
  const text = isAccepted ? "near enough that dom0 takes requests" : "could not be asked";
  return [isAccepted ? ok("clock", text) : unknown("clock", text), version];
}

function refusalOf(error: NoAnswerError | UserError): string | null {
  return error instanceof NoAnswerError ? error.refusal : null;
}

function reasonOf(error: NoAnswerError | UserError): string {
  const line = error instanceof NoAnswerError ? error.lines[0] ?? "no answer" : errorText(error);
  return line.replace(/^error: /, "").replace(/ \(id=[^)]*\)$/, "");
}

function hintOf({ lines }: NoAnswerError): string | undefined {
  return lines.find((line) => line.startsWith("hint: "))?.slice("hint: ".length);
}
