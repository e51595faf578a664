// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What listens in the agent VM while the tunnel is measured, in a process of its own: a raw TCP
 * port and an HTTP port. Prints both as JSON; ends when its stdin ends.
 *
 * The first byte of a raw connection chooses: "e" echoes from then on, "s" sends BULK_BYTES and
 * closes, "r" receives BULK_BYTES and answers with one byte.
 *
 * @module
 */

import { writeFully } from "../../shared/io/files.ts";

export const BULK_BYTES = 256 * 1024 * 1024;
const BUFFER_BYTES = 256 * 1024;

export interface FarEnd {
  readonly raw: number;
  readonly http: number;
}

async function serveRaw(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  conn.setNoDelay();
  try {
    const first = await conn.read(buffer.subarray(0, 1));
    if (first === null) return;
    const choice = String.fromCharCode(buffer[0] ?? 0);
    if (choice === "s") await sendBulk(conn, buffer);
    else if (choice === "r") await receiveBulk(conn, buffer);
    else await echo(conn, buffer);
  } catch {
    // the other side went
  } finally {
    conn.close();
  }
}

async function echo(conn: Deno.TcpConn, buffer: Uint8Array): Promise<void> {
  for (let got: number | null; (got = await conn.read(buffer)) !== null;) {
    await writeFully(conn, buffer.subarray(0, got));
  }
}

async function sendBulk(conn: Deno.TcpConn, buffer: Uint8Array): Promise<void> {
  for (let sent = 0; sent < BULK_BYTES; sent += buffer.length) await writeFully(conn, buffer);
}

async function receiveBulk(conn: Deno.TcpConn, buffer: Uint8Array): Promise<void> {
  for (let received = 0; received < BULK_BYTES;) {
    const got = await conn.read(buffer);
    if (got === null) return;
    received += got;
  }
  await conn.write(new Uint8Array(1));
}

/** "/events?count=N&gap=MS": each event says when it was sent. */
function events(count: number, gapMs: number): Response {
  let left = count;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (left-- === 0) return controller.close();
      await new Promise((resolve) => setTimeout(resolve, gapMs));
      const sentAtMs = performance.timeOrigin + performance.now();
      controller.enqueue(new TextEncoder().encode(`data: ${sentAtMs}\n\n`));
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

function answer(request: Request): Response {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname === "/events") {
    return events(Number(searchParams.get("count")), Number(searchParams.get("gap")));
  }
  if (pathname === "/socket") {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  }
  return new Response('{"status":"healthy"}');
}

async function main(): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);
  const ports: FarEnd = { raw: listener.addr.port, http: server.addr.port };
  console.log(JSON.stringify(ports));
  (async () => {
    for await (const conn of listener) serveRaw(conn);
  })();
  for await (const _ of Deno.stdin.readable);
}

if (import.meta.main) {
  await main();
  Deno.exit(0);
}
