// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Runs one command: own session and group, clean environment, defined folder, umask and PATH,
 * on stdin a file, a live stream or nothing. The command ends when its first process ends; what that left in the
 * background is ended with it, so nothing of a VM outlives its request.
 *
 * @module
 */

import { createChunkReader } from "../../shared/io/byte_stream.ts";
import { removeIfPresent } from "../../shared/io/sync_files.ts";
import { within } from "../../shared/io/timing.ts";
import { utf8 } from "../../shared/protocol/bytes.ts";
import type { ProcessCommand } from "../../shared/protocol/command.ts";
import type { StreamNumber } from "../../shared/protocol/message.ts";
import { EXIT_OF_KIND, type OutcomeKind } from "../../shared/protocol/outcome.ts";
import { type Feeding, feedStdin, keepOpen, type LiveInput } from "./live_stdin.ts";
import type { GroupEnd, Groups, ProcessGroup } from "./process_group.ts";
import { MARK_VARIABLE, NAME } from "./warden.ts";
import type { Warden, WardenProcess, Wardens } from "./wardens.ts";

/** Between TERM and KILL. */
const GRACE_MS = 2_000;
const KILL_AGAIN_MS = 100;
/** After this many kills it counts as ended, though nothing can confirm it. */
const MOST_KILLS = 50;
/** After the first process has ended, its output is read for at most this much longer. */
const DRAIN_MS = 1_000;
const QUIET_MS = 20;
/** The kernel kills a command at its memory limit. */
const EXIT_KILLED = 137;

/** Why a command was ended before its own end. */
export type StopReason = Exclude<OutcomeKind, "done" | "refused" | LimitKind>;

/** The group says so, when it has ended. */
type LimitKind = "process-limit" | "memory-limit";

export interface Limits {
  readonly timeoutMs: number;
  readonly maxProcesses: number;
  readonly maxMemoryBytes: number;
  readonly maxOutputBytes: number;
}

export interface RunOptions {
  readonly command: ProcessCommand;
  /** Unique; also the name of the script's file and of the cgroup. */
  readonly mark: string;
  /** Variables that tell the command who asked for it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly path: string;
  /** A file, absolute, or a live stream; by default /dev/null. */
  readonly stdin?: string | LiveInput;
  readonly limits: Limits;
  readonly workFolder: string;
  readonly groups: Groups;
  readonly wardens: Wardens;
  /** Called with output as it comes, at most maxOutputBytes a stream; the bytes may be reused after it returns. */
  readonly onOutput: (stream: StreamNumber, bytes: Uint8Array) => void;
}

export interface Ended {
  readonly kind: Exclude<OutcomeKind, "refused">;
  readonly exitCode: number;
  /** Processes that it left running, and that were ended; not there if none is known of. */
  readonly left?: number;
  /** Of a live stream, what it was given. */
  readonly stdinBytes?: number;
}

export interface RunningCommand {
  stop(reason: StopReason): void;
  readonly ended: Promise<Ended>;
}

export function startCommand(options: RunOptions): RunningCommand {
  const { command, mark, workFolder, groups } = options;
  const scriptFile = `${workFolder}/${mark}.sh`;
  if (command.mode === "script") {
    Deno.writeFileSync(scriptFile, command.script, { mode: 0o600, createNew: true });
  }
  const argv = command.mode === "argv" ? command.argv : ["/bin/bash", "--", scriptFile];
  let warden: Started;
  try {
    warden = startWarden(orderOf(argv, options), options);
  } catch (error) { // no process to be had
    removeIfPresent(scriptFile);
    throw error;
  }
  const { child, cgroup, feed } = warden;
  const { maxProcesses } = options.limits;
  const group = groups.make({ mark, pid: child.pid, cgroup, maxProcesses });
  const stopper = createStopper(group);
  const feeding = feed(() => stopper.stop("bad-stream"));
  const ended = follow(child, group, stopper, options).finally(() => {
    feeding.end();
    removeIfPresent(scriptFile);
  });
  return { stop: stopper.stop, ended };
}

interface Started extends Warden {
  /** @param onBad called if its live stream is not what was signed */
  readonly feed: (onBad: () => void) => Feeding;
}

const NOTHING_TO_FEED: Feeding = { end() {} };

function startWarden(
  order: readonly string[],
  { stdin, wardens, workFolder, mark }: RunOptions,
): Started {
  if (typeof stdin !== "object") return { ...wardens.start(order), feed: () => NOTHING_TO_FEED };
  const kept = keepOpen(`${workFolder}/${mark}.live`);
  try {
    const warden = wardens.startLive(order, kept.path);
    return { ...warden, feed: (onBad) => feedStdin(warden.stdin, stdin, kept, onBad) };
  } catch (error) {
    kept.letGo();
    throw error;
  }
}

/** The order that a warden waits for. */
function orderOf(
  argv: readonly string[],
  { environment, path, mark, limits, stdin = "/dev/null" }: RunOptions,
): readonly string[] {
  const variables = {
    [MARK_VARIABLE]: mark,
    PATH: path,
    HOME: "/root",
    USER: "root",
    LOGNAME: "root",
    SHELL: "/bin/bash",
    LANG: "C.UTF-8",
    ...environment,
  };
  const exports = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  return [
    String(limits.maxProcesses),
    String(limits.maxMemoryBytes),
    typeof stdin === "object" ? "-" : stdin,
    String(exports.length),
    ...exports,
    ...argv,
    "go",
  ];
}

/** A command that floods, or was revoked or locked down, gets no grace time. */
const AT_ONCE: ReadonlySet<StopReason> = new Set<StopReason>([
  ...["output-limit", "revoked", "locked-down", "stopping", "bad-stream"] as const,
]);

interface Stopper {
  stop(reason: StopReason): void;
  reason(): StopReason | null;
  /** It was killed often enough. */
  readonly hopeless: Promise<void>;
  /** No signal is sent, or on its way, when it resolves. */
  close(): Promise<void>;
}

/** TERM, then KILL, to all of the group. The first reason counts. */
function createStopper(group: ProcessGroup): Stopper {
  let reason: StopReason | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;
  let sending = Promise.resolve();
  let kills = 0;
  const hopeless = Promise.withResolvers<void>();
  // If no bash can be started now (too many processes), it is tried again soon.
  const send = (signal: "TERM" | "KILL"): Promise<void> => {
    sending = sending.then(() => closed ? undefined : group.signal(signal)).catch(() => {});
    return sending;
  };
  // Repeated until it has ended: at first a command is not yet in its group.
  const kill = async (): Promise<void> => {
    await send("KILL");
    if (++kills >= MOST_KILLS) hopeless.resolve();
    if (!closed) timer = setTimeout(kill, KILL_AGAIN_MS);
  };
  return {
    stop(why) {
      if (reason !== null) return;
      reason = why;
      if (closed) return; // its group may belong to another command now
      if (AT_ONCE.has(why)) return void kill();
      void send("TERM");
      timer = setTimeout(kill, GRACE_MS);
    },
    reason: () => reason,
    hopeless: hopeless.promise,
    close() {
      closed = true;
      clearTimeout(timer);
      return sending;
    },
  };
}

const KILLED: Pick<Deno.CommandStatus, "code" | "signal"> = {
  code: EXIT_KILLED,
  signal: "SIGKILL",
};

async function follow(
  child: WardenProcess,
  group: ProcessGroup,
  stopper: Stopper,
  { limits, onOutput }: RunOptions,
): Promise<Ended> {
  const timeout = setTimeout(() => stopper.stop("timeout"), limits.timeoutMs);
  const readers = [
    copyOutput(child.stdout, 1, limits.maxOutputBytes, onOutput, stopper),
    copyOutput(child.stderr, 2, limits.maxOutputBytes, onOutput, stopper),
  ];
  try {
    const status = await Promise.race([child.status, stopper.hopeless.then(() => KILLED)]);
    clearTimeout(timeout);
    await stopper.close();
    const endedItself = stopper.reason() === null && status.signal === null;
    // A child in the background may keep a stream open.
    const streamsEnded = await within(QUIET_MS, Promise.all(readers.map(({ done }) => done)));
    const end = await group.close(endedItself && streamsEnded);
    await drain(readers);
    const limit = limitOf(end, status.code === EXIT_KILLED);
    for (const line of limitNotes(end, limit, limits)) {
      onOutput(2, utf8(`${NAME}: ${line}\n`));
    }
    const kind = stopper.reason() ?? limit ?? "done";
    return {
      kind,
      exitCode: EXIT_OF_KIND[kind] ?? status.code, // a signal is 128 + its number
      ...kind === "done" && end.left > 0 ? { left: end.left } : {},
    };
  } finally {
    clearTimeout(timeout);
    await stopper.close();
  }
}

/** The limit that ended the whole command, if one did. */
function limitOf(
  { hadTooManyProcesses, ranOutOfMemory }: GroupEnd,
  wasKilled: boolean,
): LimitKind | null {
  if (hadTooManyProcesses) return "process-limit";
  return ranOutOfMemory !== null && wasKilled ? "memory-limit" : null;
}

/** What the outcome cannot express, for the reader of the command's stderr. */
function limitNotes(
  { wasRefusedProcess, ranOutOfMemory }: GroupEnd,
  limit: LimitKind | null,
  { maxProcesses, maxMemoryBytes }: Limits,
): readonly string[] {
  const notes: string[] = [];
  if (wasRefusedProcess && limit !== "process-limit") {
    notes.push(`a process could not be started: the limit is ${maxProcesses} per command`);
  }
  if (ranOutOfMemory === "own" && limit !== "memory-limit") {
    notes.push(`a process was killed: the limit is ${maxMemoryBytes} bytes of memory per command`);
  }
  if (ranOutOfMemory === "total") {
    notes.push(
      "all commands together reached QVM_REMOTE_TOTAL_MEMORY; files left in " +
        "/dev/shm, /tmp and /run count until they are deleted or qvm-remote-dom0 is restarted",
    );
  }
  return notes;
}

interface OutputReader {
  readonly done: Promise<void>;
  cancel(): void;
}

function copyOutput(
  from: ReadableStream<Uint8Array>,
  stream: StreamNumber,
  maxBytes: number,
  onOutput: RunOptions["onOutput"],
  stopper: Stopper,
): OutputReader {
  const reader = createChunkReader(from);
  let length = 0;
  const done = reader.each((chunk) => {
    const kept = chunk.subarray(0, maxBytes - length);
    length += kept.length;
    if (kept.length > 0) onOutput(stream, kept);
    if (kept.length < chunk.length) stopper.stop("output-limit");
  });
  return { done, cancel: reader.cancel };
}

/** To the end of both streams, unless something outside the group still holds one open. */
async function drain(readers: readonly OutputReader[]): Promise<void> {
  const timer = setTimeout(() => readers.forEach((reader) => reader.cancel()), DRAIN_MS);
  await Promise.all(readers.map((reader) => reader.done));
  clearTimeout(timer);
}
