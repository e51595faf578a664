// SPDX-License-Identifier: GPL-2.0-or-later
/** The VM's side of a mux session: each stream becomes a connection to one local port. @module */

import { readFrames } from "../../shared/io/byte_stream.ts";
import { writeFully } from "../../shared/io/files.ts";
import { UserError } from "../../shared/cli/program.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import { MUX_CAPS } from "../../shared/protocol/mux/mux_message.ts";
import { realClock } from "../../shared/tunnel/clock.ts";
import { createDeadlines, type Deadlines } from "../../shared/tunnel/mux/deadlines.ts";
import { TunnelFailure } from "../../shared/tunnel/failure.ts";
import { close, join } from "../../shared/tunnel/carry/join.ts";
import { createMuxEnd, type MuxEnd } from "../../shared/tunnel/mux/mux_end.ts";
import type { MuxStream } from "../../shared/tunnel/mux/mux_stream.ts";

/** A local port answers at once or has a full queue. */
const CONNECT_LIMIT_MS = 5_000;

/** Connects to the port that the service was called for; never to another. */
export type Connect = () => Promise<Deno.Conn>;

/** A qrexec service's stdin and stdout. @throws {UserError} the other side broke the protocol */
export async function serveMuxOnStdio(connect: Connect): Promise<void> {
  try {
    await serveMux(connect, Deno.stdin.readable, (bytes) => writeFully(Deno.stdout, bytes));
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UserError(`session over: ${error.message}`);
  }
}

/** Serves until the other side ends. @throws {ProtocolError} it broke the protocol */
export async function serveMux(
  connect: Connect,
  input: ReadableStream<Uint8Array>,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const broken = Promise.withResolvers<void>();
  const mux = createMuxEnd({
    role: "acceptor",
    clock: realClock,
    write,
    onBroken: () => broken.resolve(),
    onReady: () => mux.send(mux.session.hello()),
    onOpen: (stream) => void answer(mux, stream, connect, connecting),
  });
  const connecting = createDeadlines(
    realClock,
    CONNECT_LIMIT_MS,
    (id) => mux.refuse(id, "port-timeout"),
  );
  try {
    await Promise.race([
      readFrames(input, MUX_CAPS.acceptor, (frame) => mux.receive(frame), () => true),
      broken.promise,
    ]);
  } finally {
    connecting.close();
    mux.fail(new TunnelFailure("client-gone"));
  }
}

/** Meanwhile the stream holds what the other side sends at once: a first window at most. */
async function answer(
  mux: MuxEnd,
  stream: MuxStream,
  connect: Connect,
  connecting: Deadlines,
): Promise<void> {
  let local: Deno.Conn;
  connecting.start(stream.id);
  try {
    local = await connect();
  } catch (error) {
    const isRefused = error instanceof Deno.errors.ConnectionRefused;
    return mux.refuse(stream.id, isRefused ? "port-refused" : "port-failed");
  } finally {
    connecting.done(stream.id);
  }
  if (!mux.accept(stream.id)) return close(local); // given up meanwhile, or too late
  // The other side learns how a connection ends; nothing here needs to.
  await join(local, stream, { up() {}, down() {} }).catch(() => {});
}
