// SPDX-License-Identifier: GPL-2.0-or-later
/** What the tests of dom0 share: folders, requests, a clock that stands still, waiting. @module */

export { until } from "../until.ts";
import type { Recognised } from "../../dom0/operations/recognise.ts";
import type { Judgement } from "../../dom0/policy/judge.ts";
import type { Action, RuleOptions } from "../../dom0/policy/rule.ts";
import type { Clock } from "../../shared/io/clock.ts";
import { parseAuthKey } from "../../shared/protocol/auth_key.ts";
import { type Bytes, utf8 } from "../../shared/protocol/bytes.ts";
import {
  authenticate,
  type AuthenticRequest,
  type Mode,
  parseEnvelope,
  PLAIN_REQUEST,
  type RequestFields,
  sealEnvelope,
} from "../../shared/protocol/envelope.ts";
import { makeRequestId, type RequestId } from "../../shared/protocol/request_id.ts";
import { authenticateV1, v1Token } from "../../shared/protocol/v1.ts";
import { parseVmName, type VmName } from "../../shared/protocol/vm_name.ts";

export const WORK = parseVmName("work");
export const LAB = parseVmName("lab");
export const KEY_TEXT = "0123456789abcdef".repeat(4);
export const OTHER_KEY_TEXT = "fedcba9876543210".repeat(4);
export const KEY = await parseAuthKey(KEY_TEXT);
/** 2026-11-22T09:15:00Z */
export const NOW_MS = 1_795_338_900_000;
export const IS_ROOT = Deno.uid() === 0;

/** A folder that is gone after the test, whatever happens in it. */
export async function withFolder(run: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "dom0-test-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A file system of that many KiB; only root can have one. */
export async function withSmallDisk(
  kib: number,
  run: (folder: string) => Promise<void> | void,
): Promise<void> {
  await withFolder(async (folder) => {
    await runTool("mount", "-t", "tmpfs", "-o", `size=${kib}k`, "none", folder);
    try {
      await run(folder);
    } finally {
      await runTool("umount", "--lazy", folder);
    }
  });
}

/** A real program to its end. @returns its stdout */
export async function runTool(program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args, stdin: "null" })
    .output();
  if (code !== 0) throw new Error(`${program}: ${code}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

export interface TestClock extends Clock {
  readonly dateMs: () => number;
  readonly spanMs: () => number;
  /** Time passes; what is due runs, once. */
  advance(ms: number): void;
  /** Somebody sets the clock. */
  step(ms: number): void;
}

export function stoppedClock(startMs = NOW_MS): TestClock {
  let date = startMs;
  let span = 1000;
  const timers = new Set<{ readonly everyMs: number; readonly run: () => void; dueMs: number }>();
  return {
    dateMs: () => date,
    spanMs: () => span,
    advance(ms) {
      date += ms;
      span += ms;
      for (const timer of timers) {
        if (timer.dueMs > span) continue;
        timer.dueMs = span + timer.everyMs;
        timer.run();
      }
    },
    every(ms, run) {
      const timer = { everyMs: ms, run, dueMs: span + ms };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    step: (ms) => void (date += ms),
  };
}

/** The nth id of a test. */
export function requestId(n: number, atMs = NOW_MS): RequestId {
  return makeRequestId(atMs, 4242, n);
}

export function argvBody(...words: readonly string[]): Bytes {
  return utf8(words.map((word) => word + "\0").join(""));
}

export interface RequestWishes {
  readonly n?: number;
  readonly vm?: VmName;
  readonly issuedAtMs?: number;
  readonly timeoutMs?: number;
  readonly mode?: Mode;
  readonly flags?: RequestFields["flags"];
  readonly why?: string | null;
  readonly body?: Bytes;
  readonly payload?: RequestFields["payload"];
}

export function requestFields(wishes: RequestWishes): RequestFields {
  const { n = 1, vm = WORK, issuedAtMs = NOW_MS, timeoutMs = 30_000, mode = "script" } = wishes;
  const { flags = PLAIN_REQUEST.flags, why = null, body = utf8("true\n") } = wishes;
  const { payload = null } = wishes;
  const nonce = n.toString(16).padStart(32, "0");
  const id = requestId(n, issuedAtMs);
  return { id, vm, issuedAtMs, timeoutMs, mode, flags, why, nonce, body, payload };
}

/** A request as the VM's own client would have sealed it. */
export async function authentic(wishes: RequestWishes = {}): Promise<AuthenticRequest> {
  const sealed = parseEnvelope(await sealEnvelope(requestFields(wishes), KEY));
  const request = await authenticate(sealed, KEY);
  if (request === null) throw new Error("bug: not authentic");
  return request;
}

export async function authenticV1(n = 1, vm = WORK): Promise<AuthenticRequest> {
  const id = requestId(n);
  const request = await authenticateV1(
    { id, untrustedToken: await v1Token(KEY, id), body: utf8("true\n") },
    KEY,
    vm,
  );
  if (request === null) throw new Error("bug: not authentic");
  return request;
}

export function modeOf(path: string): number {
  return (Deno.lstatSync(path).mode ?? 0) & 0o777;
}

/** All files below a folder, with their text; not what is no regular file. */
export function filesBelow(folder: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name, isDirectory, isFile } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) { for (const [file, text] of filesBelow(path)) found.set(file, text); }
    if (isFile) found.set(path, Deno.readTextFileSync(path));
  }
  return found;
}

export function namesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
}

/** Every command of the machine that carries this text in its command line or environment. */
export function processesWith(text: string): number[] {
  return Array.from(Deno.readDirSync("/proc"), ({ name }) => name)
    .filter((name) => /^[0-9]+$/.test(name) && Number(name) !== Deno.pid)
    .filter((name) => {
      try {
        if (/^State:\s+[ZX]/m.test(Deno.readTextFileSync(`/proc/${name}/status`))) return false;
        return ["cmdline", "environ"].some((file) =>
          Deno.readTextFileSync(`/proc/${name}/${file}`).includes(text)
        );
      } catch {
        return false; // it ended
      }
    }).map(Number);
}

/**
 * Processes that this one started, and that have all of these in their command line. Other test files
 * share this process: one text must be this test's own, as its folder is.
 */
export function childrenWith(kind: string, own: string): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => {
    try {
      const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      if (parent !== Deno.pid) return false;
      const commandLine = Deno.readTextFileSync(`/proc/${pid}/cmdline`);
      return commandLine.includes(kind) && commandLine.includes(own);
    } catch {
      return false; // ended meanwhile
    }
  });
}

/** Where an audit and its anchors lie in the folder of a test. */
export function auditPaths(folder: string): {
  readonly auditFile: string;
  readonly logFile: string;
  readonly anchorFile: string;
  readonly liveAnchorFile: string;
} {
  return {
    ...{ auditFile: `${folder}/audit.jsonl`, logFile: `${folder}/log` },
    ...{ anchorFile: `${folder}/lib/anchor`, liveAnchorFile: `${folder}/run/anchor` },
  };
}

/** What the policy says of a request, always the same. */
export function judgedAs(
  action: Action,
  recognised: Recognised | null = null,
  options: RuleOptions = {},
): Judgement {
  const again = (): Promise<Judgement> => Promise.resolve(judgedAs(action, recognised, options));
  const decision = { action, because: "test:1", options };
  return { recognised, plan: null, again, view: null, decision };
}
