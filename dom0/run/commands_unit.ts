// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A systemd unit for the commands, beside the daemon's: the daemon's hardening (seccomp, capabilities,
 * read-only trees) is inherited by every child, cannot be undone there, and would keep root's commands
 * from their work.
 *
 *     qvm-remote-dom0.service       hardened: the daemon
 *     qvm-remote-commands.service   as any service of root's: one bash that starts the wardens,
 *                                   and below it all commands. Its stdin is the daemon's: it ends
 *                                   when the daemon ends, and systemd ends what is in its cgroup
 *
 * A process of another unit cannot be given pipes by Deno. So for each warden there is a holder,
 * a child of the daemon with three pipes that does nothing: the warden opens them in
 * /proc/HOLDER/fd, and ends it.
 *
 * @module
 */

import { textLines } from "../../shared/io/lines.ts";
import { SPAWNER } from "./warden.ts";
import type { WardenProcess } from "./wardens.ts";

export const COMMANDS_UNIT = "qvm-remote-commands.service";

/** Not by --property=BindsTo: the end of stdin tells it, however the daemon ended. */
const PROPERTIES = [
  "Delegate=yes",
  "TasksMax=infinity",
  "LimitCORE=0",
  // The same as the daemon's: commands set theirs to 0.
  "OOMScoreAdjust=-900",
  "OOMPolicy=continue",
  // A signal that bash was started with ignored stays ignored in its children.
  "IgnoreSIGPIPE=no",
];

export interface CommandsUnit {
  /** Of the bash in it. */
  readonly pid: number;
  /** @throws {Error} if no process can be started */
  spawn(cgroup: string, keeper: string): WardenProcess;
  /** Rejects when it ended without being closed; all commands have ended with it. */
  readonly failed: Promise<never>;
  close(): void;
}

const SYSTEMD_RUN = [
  "systemd-run",
  "--quiet",
  "--collect",
  "--pipe",
  `--unit=${COMMANDS_UNIT}`,
  "--description=Commands of VMs, run by qvm-remote-dom0",
  ...PROPERTIES.map((property) => `--property=${property}`),
  "--",
];

/**
 * @param before what starts the bash where it is to be
 * @throws {Error} it is not started; the text says why
 */
export async function startCommandsUnit(
  before: readonly string[] = SYSTEMD_RUN,
): Promise<CommandsUnit> {
  const bash = await startBash(before);
  const waiting: WaitingWardens = new Map();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {}); // nobody may be waiting for it yet
  let closed = false;
  let made = 0;
  Promise.race([follow(bash.answers, waiting), bash.ended]).catch(() => {}).finally(() => {
    const error = new Error(`${COMMANDS_UNIT} has ended`);
    for (const { reject } of waiting.values()) reject(error);
    if (!closed) failed.reject(error);
  });
  return {
    pid: bash.pid,
    failed: failed.promise,
    spawn(cgroup, keeper) {
      const { pid, stdin, stdout, stderr } = startHolder();
      const number = ++made;
      const ended = Promise.withResolvers<Deno.CommandStatus>();
      ended.promise.catch(() => {}); // of one that waits, nobody may ask
      waiting.set(number, ended);
      bash.write(`${number} ${pid} ${keeper || "-"} ${cgroup}\n`).catch(() => {});
      return { pid, stdin, stdout, stderr, status: ended.promise };
    },
    close() {
      closed = true;
      bash.close();
    },
  };
}

/** The one process of the unit that is ours: starts a warden for each line it reads. */
interface UnitBash {
  readonly pid: number;
  /** A line for each warden that has ended: its number, and how. */
  readonly answers: ReadableStreamDefaultReader<string>;
  readonly ended: Promise<unknown>;
  write(text: string): Promise<void>;
  close(): void;
}

async function startBash(before: readonly string[]): Promise<UnitBash> {
  const [program = "", ...args] = [...before, "/bin/bash", "-s"];
  const child = new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const said = new Response(child.stderr).text();
  const answers = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(textLines())
    .getReader();
  const writer = child.stdin.getWriter();
  const write = (text: string): Promise<void> => writer.write(new TextEncoder().encode(text));
  await write(SPAWNER).catch(() => {}); // its end tells why
  const { value: first = "" } = await answers.read();
  const pid = Number(/^ready (\d+)$/.exec(first)?.[1]);
  if (Number.isNaN(pid)) {
    throw new Error(`${COMMANDS_UNIT} was not started: ${(await said).trim()}`);
  }
  return { pid, answers, ended: child.status, write, close: () => writer.close().catch(() => {}) };
}

/** By the numbers that they were given. */
type WaitingWardens = Map<number, PromiseWithResolvers<Deno.CommandStatus>>;

async function follow(answers: UnitBash["answers"], waiting: WaitingWardens): Promise<void> {
  for (;;) {
    const { value, done } = await answers.read();
    if (done) return;
    const [number, code] = value.split(" ").map(Number);
    waiting.get(number ?? 0)?.resolve({ success: code === 0, code: code ?? 0, signal: null });
    waiting.delete(number ?? 0);
  }
}

function startHolder(): Deno.ChildProcess {
  return new Deno.Command("/usr/bin/sleep", {
    args: ["infinity"],
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}
