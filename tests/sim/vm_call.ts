// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The VM's part of one call: finds and starts what was asked for, and relays.
 *
 * The call ends when the remote closed stdout and stderr, not when it exits.
 * A client that goes away does not end the remote: it gets the end of its
 * stdin, and EPIPE when it writes.
 *
 * @module
 */
import {
  createFrameWriter,
  FRAME,
  type FrameReader,
  type FrameType,
  type FrameWriter,
  HEADER_BYTES,
} from "./call_frames.ts";
import type { FaultChannel, FaultGate } from "./fault_gate.ts";
import type { Remote, RemoteOutput, StartFailure } from "./remote.ts";

/** One call, from when it was accepted. */
export interface AcceptedCall {
  readonly command: string;
  readonly conn: Deno.Conn;
  readonly reader: FrameReader;
  readonly gate: FaultGate;
  /** Ends of the call that only some sockets have, by rpc-config. */
  readonly exitOnClientEof: boolean;
  readonly exitOnServiceEof: boolean;
  /** Gets a copy of what the remote writes to stderr. */
  readonly logStderr: (bytes: Uint8Array) => void;
}

const EMPTY = new Uint8Array(0);

/** Tells the client that nothing was started. */
export async function reportFailure(conn: Deno.Conn, failure: StartFailure): Promise<void> {
  const writer = createFrameWriter(conn);
  await writer.send(FRAME.stderr, EMPTY);
  await writer.send(FRAME.stdout, EMPTY);
  await writer.send(FRAME.exit, new Uint8Array([failure.exitCode]));
}

/** Relays until the call has ended. The caller closes the connection. */
export async function relayToRemote(call: AcceptedCall, remote: Remote): Promise<void> {
  const writer = createFrameWriter(call.conn);
  const lost = Promise.withResolvers<void>(); // the client is gone, or a fault cut the call
  const inputEnded = Promise.withResolvers<void>();
  const serviceEnded = Promise.withResolvers<void>();
  const passUp = call.gate.channel(call.command, "fromVm");

  pumpInput(call, remote, inputEnded.resolve).then(lost.resolve, lost.resolve);
  if (call.exitOnClientEof) inputEnded.promise.then(serviceEnded.resolve);
  const stdout = pumpOutput(remote.stdout, FRAME.stdout, writer, passUp).then(async () => {
    if (call.exitOnServiceEof) serviceEnded.resolve();
    // A service that closed its socket altogether reads no more either.
    await remote.writeStdin(EMPTY).catch(inputEnded.resolve);
  });
  const stderr = pumpOutput(remote.stderr, FRAME.stderr, writer, passUp, call.logStderr);
  const outputs = Promise.all([stdout, stderr]).catch(() => {
    lost.resolve();
    return lost.promise;
  });
  const exitCode = remote.exitCode ?? inputEnded.promise.then(() => 0);

  const end = await Promise.race([
    outputs.then(() => exitCode),
    serviceEnded.promise.then(() => 0),
    lost.promise.then(() => undefined),
  ]);
  if (end !== undefined) await sendExit(writer, end).catch(() => {}); // the client is gone
  remote.stdout.cancel();
  remote.stderr?.cancel();
  remote.dropStdin();
}

async function sendExit(writer: FrameWriter, exitCode: number): Promise<void> {
  await writer.send(FRAME.exit, new Uint8Array([exitCode]));
}

/** Client to remote. Returns when the client is gone, `onEnd` is for the end of its stdin. */
async function pumpInput(call: AcceptedCall, remote: Remote, onEnd: () => void): Promise<void> {
  const passDown = call.gate.channel(call.command, "toVm");
  let isRead = true;
  const deliver = async (bytes: Uint8Array) => {
    if (!isRead) return;
    try {
      await remote.writeStdin(bytes);
    } catch {
      isRead = false; // go on reading and discard, as the real one does
      if (remote.exitCode === undefined) onEnd();
    }
  };
  for (;;) {
    const piece = await call.reader.next();
    if (piece?.type !== FRAME.stdin) return;
    if (!piece.isEmpty) {
      await passDown(piece.bytes, deliver);
      continue;
    }
    await passDown(EMPTY, deliver); // the end waits in line with the data
    await remote.closeStdin();
    onEnd();
  }
}

/** Remote to client, to its end. */
async function pumpOutput(
  output: RemoteOutput | undefined,
  type: FrameType,
  writer: FrameWriter,
  pass: FaultChannel,
  log?: (bytes: Uint8Array) => void,
): Promise<void> {
  // Each piece has room for its header in front: the bytes there have been sent.
  const deliver = (piece: Uint8Array) =>
    writer.sendInPlace(
      type,
      new Uint8Array(
        piece.buffer,
        piece.byteOffset - HEADER_BYTES,
        HEADER_BYTES + piece.byteLength,
      ),
    );
  for (;;) {
    const frame = await output?.read();
    if (frame === undefined) break;
    const bytes = frame.subarray(HEADER_BYTES);
    log?.(bytes);
    await pass(bytes, deliver);
  }
  await pass(EMPTY, deliver);
  await writer.send(type, EMPTY);
}
