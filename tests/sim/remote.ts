// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The far end of a call, once it runs: a process, a unix socket or a TCP
 * connection, all seen through the same few functions.
 *
 * In Qubes stdin and stdout of a service are unix sockets. Deno can only give
 * pipes: so /dev/stdin can be opened here and not there, and a service cannot
 * use one of its descriptors for both directions.
 *
 * @module
 */
import { EXIT_NOT_FOUND, EXIT_PROBLEM } from "./exit_codes.ts";
import { HEADER_BYTES, writeAll } from "./call_frames.ts";
import { MAX_DATA_BYTES } from "./limits.ts";

/** Bytes with room for a frame header in front of them, so that they can be sent in place. */
export type Frame = Uint8Array<ArrayBuffer>;

/** One output of the remote end. */
export interface RemoteOutput {
  /** The next bytes, as a frame without its header; undefined at the end. */
  read(): Promise<Frame | undefined>;
  /** Nobody wants more: a remote that writes on gets EPIPE. */
  cancel(): void;
}

/** The far end of a call. */
export interface Remote {
  /** @throws if the remote end reads no more. */
  writeStdin(bytes: Uint8Array): Promise<void>;
  /** Half-close: the remote end reads the end of its input. */
  closeStdin(): Promise<void>;
  /** The call is over: the remote end reads what it was given, then the end. */
  dropStdin(): void;
  readonly stdout: RemoteOutput;
  /** Sockets have none. */
  readonly stderr: RemoteOutput | undefined;
  /** Undefined for sockets, which have no exit code; the call then ends with 0. */
  readonly exitCode: Promise<number> | undefined;
  readonly pid: number | undefined;
}

/** What to start as a process. */
export interface ProcessPlan {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** -e: nothing is connected. */
  readonly isDetached: boolean;
}

/** Why nothing was started: the exit code of the call, and a line for the log. */
export interface StartFailure {
  readonly exitCode: number;
  readonly reason: string;
}

/** Starts a process in a session of its own. */
export function startProcess(plan: ProcessPlan): Remote | StartFailure {
  const io = plan.isDetached ? "null" : "piped";
  try {
    if (!hasExecutableFormat(plan.program)) {
      return { exitCode: EXIT_PROBLEM, reason: "execve: Exec format error" };
    }
    const options: Deno.CommandOptions = {
      args: [...plan.args],
      env: { ...plan.env },
      cwd: plan.cwd,
      clearEnv: true,
      stdin: io,
      stdout: io,
      stderr: io,
      detached: true, // setsid()
    };
    return processRemote(new Deno.Command(plan.program, options).spawn(), plan.isDetached);
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound;
    return { exitCode: isMissing ? EXIT_NOT_FOUND : EXIT_PROBLEM, reason: `execve: ${error}` };
  }
}

/** A call whose far end is a connection. */
export function connectionRemote(conn: Deno.Conn): Remote {
  return {
    async writeStdin(bytes) {
      // Nothing is written as well: that fails if the other end was closed altogether.
      if (bytes.length === 0) await conn.write(bytes);
      else await writeAll(conn, bytes);
    },
    closeStdin: () => conn.closeWrite().catch(() => {}), // gone already
    dropStdin() {}, // closed together with stdout
    stdout: {
      async read() {
        const frame = new Uint8Array(HEADER_BYTES + MAX_DATA_BYTES);
        const got = await conn.read(frame.subarray(HEADER_BYTES)).catch(() => null);
        return got === null ? undefined : frame.subarray(0, HEADER_BYTES + got);
      },
      cancel() {
        try {
          conn.close();
        } catch {
          // closed already
        }
      },
    },
    stderr: undefined,
    exitCode: undefined,
    pid: undefined,
  };
}

function processRemote(child: Deno.ChildProcess, isDetached: boolean): Remote {
  const stdin = isDetached ? undefined : child.stdin.getWriter();
  stdin?.closed.catch(() => {}); // a write reports it
  return {
    writeStdin: async (bytes) => await stdin?.write(bytes),
    closeStdin: async () => await stdin?.close().catch(() => {}), // gone already
    dropStdin() {
      stdin?.abort().catch(() => {}); // close() would wait for a remote that never reads
    },
    stdout: streamOutput(isDetached ? undefined : child.stdout),
    stderr: streamOutput(isDetached ? undefined : child.stderr),
    exitCode: child.status.then((status) => status.code), // 128+n for a signal
    pid: child.pid,
  };
}

function streamOutput(stream: ReadableStream<Uint8Array> | undefined): RemoteOutput {
  if (stream === undefined) return { read: () => Promise.resolve(undefined), cancel() {} };
  const reader = stream.getReader({ mode: "byob" });
  let spare = new ArrayBuffer(HEADER_BYTES + MAX_DATA_BYTES);
  return {
    async read() {
      const { value, done } = await reader.read(new Uint8Array(spare, HEADER_BYTES));
      if (done || value === undefined) return undefined;
      spare = value.buffer; // the caller is done with it before it reads again
      return new Uint8Array(spare, 0, HEADER_BYTES + value.length);
    },
    cancel() {
      reader.cancel().catch(() => {}); // ended already
    },
  };
}

/** execve() does what a shell would not: a script without "#!" is an error. */
function hasExecutableFormat(path: string): boolean {
  const magic = new Uint8Array(4);
  using file = Deno.openSync(path);
  const got = file.readSync(magic) ?? 0;
  const text = String.fromCharCode(...magic.subarray(0, got));
  return text.startsWith("#!") || text === "\x7fELF";
}
