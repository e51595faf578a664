// SPDX-License-Identifier: GPL-2.0-or-later
/** The VM's side of a mux session: each stream becomes a connection to one local port. @module */

import { readFrames } from "../../shared/io/byte_stream.ts";
import { within } from "../../shared/io/timing.ts";
import { MUX_CAPS } from "../../shared/protocol/mux_message.ts";
import type { MuxRefusal } from "../../shared/protocol/refusal.ts";
import { realClock } from "../../shared/tunnel/clock.ts";
import { TunnelFailure } from "../../shared/tunnel/failure.ts";
import { close, join } from "../../shared/tunnel/join.ts";
import { createMuxEnd, type MuxEnd } from "../../shared/tunnel/mux_end.ts";
import type { MuxStream } from "../../shared/tunnel/mux_stream.ts";

/** A local port answers at once or has a full queue. */
const CONNECT_LIMIT_MS = 5_000;

/** Connects to the port that the service was called for; never to another. */
export type Connect = () => Promise<Deno.Conn>;

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
    onOpen: (stream) => void answer(mux, stream, connect),
  });
  try {
    await Promise.race([
      readFrames(input, MUX_CAPS.acceptor, (frame) => mux.receive(frame)),
      broken.promise,
    ]);
  } finally {
    mux.fail(new TunnelFailure("client-gone"));
  }
}

async function answer(mux: MuxEnd, stream: MuxStream, connect: Connect): Promise<void> {
  const connecting = connect();
  let refusal: MuxRefusal | null = null;
  try {
    if (!await within(CONNECT_LIMIT_MS, connecting)) refusal = "port-timeout";
  } catch (error) {
    const isRefused = error instanceof Deno.errors.ConnectionRefused;
    refusal = isRefused ? "port-refused" : "port-failed";
  }
  if (refusal !== null) {
    connecting.then(close, () => {});
    mux.send(mux.session.refused(stream.id, refusal));
    return stream.refused();
  }
  const local = await connecting;
  const opened = mux.session.opened(stream.id);
  if (opened === null) return close(local); // given up meanwhile
  mux.send(opened);
  // How a connection ends is told to the other side; here nobody asks.
  await join(local, stream, { up() {}, down() {} }).catch(() => {});
}
