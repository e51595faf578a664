// SPDX-License-Identifier: GPL-2.0-or-later
/** What the bench does through a way: it does the same through each. @module */

import { writeFully } from "../../shared/io/files.ts";
import { BULK_BYTES } from "./far-end.ts";

const HOST = "127.0.0.1";
const MIB = 1024 * 1024;
const text = new TextEncoder();

export interface Chat extends Disposable {
  /** One byte there and back. */
  roundTrip(): Promise<void>;
}

/** A connection that has carried a byte there and back. */
export async function openChat(port: number): Promise<Chat> {
  const conn = await Deno.connect({ hostname: HOST, port });
  conn.setNoDelay();
  const byte = new Uint8Array(1);
  const ask = async (words: string): Promise<void> => {
    await conn.write(text.encode(words));
    if (await conn.read(byte) === null) throw new Error("the connection was closed");
  };
  await ask("e.");
  return { roundTrip: () => ask("."), [Symbol.dispose]: () => conn.close() };
}

/** Connect, one byte echoed: what a new connection costs. */
export async function connectAndEcho(port: number): Promise<void> {
  using _ = await openChat(port);
}

/**
 * A GET on a connection of its own.
 *
 * @returns false if it was closed before an answer: in direct mode a place is free a moment later
 */
export async function getOnce(port: number): Promise<boolean> {
  using conn = await Deno.connect({ hostname: HOST, port });
  const request = `GET /health HTTP/1.1\r\nhost: ${HOST}\r\nconnection: close\r\n\r\n`;
  await writeFully(conn, text.encode(request));
  const buffer = new Uint8Array(4096);
  let answer = "";
  for (let got: number | null; (got = await conn.read(buffer)) !== null;) {
    answer += new TextDecoder().decode(buffer.subarray(0, got));
  }
  if (answer === "") return false;
  if (!answer.startsWith("HTTP/1.1 200")) throw new Error(`answered ${answer.slice(0, 40)}`);
  return true;
}

/** How long each of some events was on its way. */
export async function eventDelays(
  port: number,
  count: number,
  gapMs: number,
): Promise<readonly number[]> {
  // A connection that is kept for the next request would keep one of direct mode's places.
  const response = await fetch(`http://${HOST}:${port}/events?count=${count}&gap=${gapMs}`, {
    headers: { connection: "close" },
  });
  const delays: number[] = [];
  for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const arrivedMs = performance.timeOrigin + performance.now();
    for (const [, sent] of part.matchAll(/data: ([0-9.]+)/g)) delays.push(arrivedMs - Number(sent));
  }
  if (delays.length !== count) throw new Error(`${delays.length} of ${count} events came`);
  return delays;
}

/** Messages there and back on one WebSocket. */
export async function openSocket(port: number): Promise<Chat> {
  const socket = new WebSocket(`ws://${HOST}:${port}/socket`);
  let answered = (): void => {};
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  socket.onmessage = () => answered();
  return {
    roundTrip: () =>
      new Promise((resolve) => {
        answered = resolve;
        socket.send("hello");
      }),
    [Symbol.dispose]: () => socket.close(),
  };
}

export type Direction = "down" | "up";

/** MiB/s of BULK_BYTES; dd and cat are what moves them here, so that nothing is lost there. */
export async function bulk(port: number, direction: Direction): Promise<number> {
  const open = `exec 3<>/dev/tcp/${HOST}/${port}`;
  return await mibPerSecond(
    "bash",
    direction === "down"
      ? `${open}; printf s >&3; cat <&3 | wc -c`
      : `${open}; printf r >&3; ${ZEROS} >&3; head -c 1 <&3 | wc -c`,
    direction === "down" ? BULK_BYTES : 1,
    {},
  );
}

const ZEROS = `dd if=/dev/zero bs=256k count=${BULK_BYTES / (256 * 1024)} status=none`;

/** The services that pass the same bytes with nothing around them. */
export const CAT_SERVICES = {
  "bench.Send": `#!/bin/sh\nexec ${ZEROS}\n`,
  "bench.Receive": "#!/bin/sh\nexec cat >/dev/null\n",
} as const;

/** The same through a bare call: no pipe can carry more. */
export async function bulkThroughCall(
  vm: string,
  env: Readonly<Record<string, string>>,
  direction: Direction,
): Promise<number> {
  const call = (service: string): string =>
    `qrexec-client -d ${vm} 'DEFAULT:QUBESRPC bench.${service}+0 dom0'`;
  return await mibPerSecond(
    "bash",
    direction === "down"
      ? `${call("Send")} </dev/null | cat | wc -c`
      : `${ZEROS} | ${call("Receive")} | wc -c`,
    direction === "down" ? BULK_BYTES : 0,
    env,
  );
}

async function mibPerSecond(
  shell: string,
  script: string,
  wantBytes: number,
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const started = performance.now();
  const command = new Deno.Command(shell, { args: ["-c", script], env, stdin: "null" });
  const { stdout } = await command.output();
  const seconds = (performance.now() - started) / 1000;
  const got = Number(new TextDecoder().decode(stdout));
  if (got !== wantBytes) throw new Error(`${got} of ${wantBytes} bytes came: ${script}`);
  return BULK_BYTES / MIB / seconds;
}
