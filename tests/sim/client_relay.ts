// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The client's part of one call: stdin to the VM, stdout and stderr back.
 *
 * Kept from the real one: it ends when the remote ends, though its own stdin
 * may be open; it closes its stdout when the remote did; it discards what
 * nobody reads any more instead of stopping; and one loop carries both outputs,
 * so an unread stderr stops stdout.
 *
 * @module
 */
import {
  createFrameReader,
  createFrameWriter,
  FRAME,
  type FramePiece,
  type FrameReader,
  type FrameWriter,
  HEADER_BYTES,
  wholeBody,
  writeAll,
} from "./call_frames.ts";
import { EXIT_LOST, EXIT_PROBLEM } from "./exit_codes.ts";
import { MAX_DATA_BYTES } from "./limits.ts";
import { closeStdout } from "./close_stdout.ts";

/** The part of the options that matters once the daemon is reached. */
export interface RelayOptions {
  readonly command: string;
  readonly justExec: boolean;
  readonly alwaysZero: boolean;
  readonly replaceStdout: boolean;
  readonly replaceStderr: boolean;
  readonly timeoutS: number;
  readonly prefix: string;
}

type Log = (text: string) => void;

/** Which of our three streams are still in use, for the message at the end. */
interface OpenStreams {
  stdin: boolean;
  stdout: boolean;
}

/** Makes the call and relays it to its end. @returns the exit code. */
export async function relayCall(
  conn: Deno.UnixConn,
  options: RelayOptions,
  log: Log,
): Promise<number> {
  const reader = createFrameReader(conn);
  const writer = createFrameWriter(conn);
  const setUp = await requestCall(reader, writer, options, log);
  if (!setUp) return EXIT_PROBLEM;
  const open = { stdin: true, stdout: true };
  // Not awaited: a read of our stdin may never return, and need not.
  if (!options.justExec) pumpStdin(writer, options.prefix, open);
  const exitCode = await receive(reader, options, open).catch(() => undefined);
  // With -e the real one says so as well, though nothing is wrong.
  if (exitCode === undefined || options.justExec && exitCode === 0) {
    const fds = `${open.stdout ? 1 : -1} ${open.stdin ? 0 : -1} -1`;
    log(
      "process_io.c:240:qrexec_process_io: " +
        `vchan connection closed early (fds: ${fds}, status: -1 -1)`,
    );
  }
  return options.alwaysZero ? 0 : exitCode ?? EXIT_LOST;
}

/** @returns false, after a log line, if the call was not set up in time. */
async function requestCall(
  reader: FrameReader,
  writer: FrameWriter,
  options: RelayOptions,
  log: Log,
): Promise<boolean> {
  const { command, justExec } = options;
  const request = new TextEncoder().encode(JSON.stringify({ command, justExec }));
  const timeout = Promise.withResolvers<"timeout">();
  const timer = options.timeoutS === 0
    ? undefined
    : setTimeout(() => timeout.resolve("timeout"), options.timeoutS * 1000);
  const answer = (async () => {
    await writer.send(FRAME.call, request);
    return await reader.next();
  })().catch(() => undefined);
  const first = await Promise.race([answer, timeout.promise]);
  clearTimeout(timer);
  if (first === "timeout") {
    log("qrexec-client.c:375:main: qrexec connection timeout");
    return false;
  }
  if (first?.type !== FRAME.accepted) {
    log("qrexec-daemon-common.c:90:negotiate_connection_params: read daemon: Success");
    return false;
  }
  return true;
}

async function pumpStdin(writer: FrameWriter, prefix: string, open: OpenStreams): Promise<void> {
  try {
    const frame = new Uint8Array(HEADER_BYTES + MAX_DATA_BYTES);
    const prefixBytes = new TextEncoder().encode(prefix);
    for (let at = 0; at < prefixBytes.length; at += MAX_DATA_BYTES) {
      await writer.send(FRAME.stdin, prefixBytes.subarray(at, at + MAX_DATA_BYTES));
    }
    for (;;) {
      const got = await readStdin(frame.subarray(HEADER_BYTES));
      if (got === null) break;
      await writer.sendInPlace(FRAME.stdin, frame.subarray(0, HEADER_BYTES + got));
    }
    open.stdin = false;
    await writer.send(FRAME.stdin, new Uint8Array(0));
  } catch {
    // The connection is gone; the receiving side says so.
  }
}

/** A stdin that cannot be read (closed, a folder) counts as empty. */
async function readStdin(into: Uint8Array): Promise<number | null> {
  try {
    return await Deno.stdin.read(into);
  } catch {
    return null;
  }
}

/** @returns the exit code, or undefined if the connection ended without one. */
async function receive(
  reader: FrameReader,
  options: RelayOptions,
  open: OpenStreams,
): Promise<number | undefined> {
  const stdout = outputTo(Deno.stdout, options.replaceStdout);
  const stderr = outputTo(Deno.stderr, options.replaceStderr);
  for (;;) {
    const piece: FramePiece | undefined = await reader.next();
    switch (piece?.type) {
      case FRAME.stdout:
        if (!piece.isEmpty) await stdout(piece.bytes);
        else if (open.stdout) {
          open.stdout = false;
          closeStdout();
        }
        break;
      case FRAME.stderr:
        if (!piece.isEmpty) await stderr(piece.bytes);
        break;
      case FRAME.exit:
        return (await wholeBody(reader, piece))[0];
      default:
        return undefined;
    }
  }
}

/** Writes to one of our outputs; discards once nobody reads it. */
function outputTo(
  sink: { write(bytes: Uint8Array): Promise<number> },
  replace: boolean,
): (bytes: Uint8Array) => Promise<void> {
  let isBroken = false;
  return async (bytes) => {
    if (isBroken) return;
    if (replace) replaceUnprintable(bytes);
    try {
      await writeAll(sink, bytes);
    } catch {
      isBroken = true;
    }
  };
}

/** Printable ASCII, and BEL BS TAB LF CR; every other byte becomes "_". */
function replaceUnprintable(bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    const isKept = byte >= 0x20 && byte <= 0x7e || byte >= 0x07 && byte <= 0x0a || byte === 0x0d;
    if (!isKept) bytes[i] = 0x5f;
  }
}
