// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * JSON-RPC on standard input and output, one message a line. What is no message is answered as
 * JSON-RPC says; a line that is too long is passed over, and said so.
 *
 * @module
 */

import { type JSONRPCMessage, parseJSONRPCMessage } from "@modelcontextprotocol/server";
import { concat, utf8 } from "../../shared/protocol/bytes.ts";

/** Largest message: the largest request to dom0, escaped, several times over. */
export const MAX_LINE_BYTES = 4 * 1024 * 1024;

const NEWLINE = 10;
const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;

export interface LineTransport {
  start(): Promise<void>;
  send(message: JSONRPCMessage): Promise<void>;
  close(): Promise<void>;
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  onmessage?: ((message: JSONRPCMessage) => void) | undefined;
}

export interface Ends {
  readonly input: AsyncIterable<Uint8Array>;
  /** Takes all of it. */
  readonly output: (bytes: Uint8Array) => Promise<void>;
}

export function createTransport({ input, output }: Ends): LineTransport {
  let writing = Promise.resolve();
  let isClosed = false;
  const write = (message: object): Promise<void> => {
    const bytes = utf8(JSON.stringify(message) + "\n");
    return writing = writing.then(() => output(bytes)).catch(() => void transport.close());
  };
  const refuse = (code: number, message: string, id: unknown = null): void => {
    const isId = typeof id === "string" || typeof id === "number";
    void write({ jsonrpc: "2.0", id: isId ? id : null, error: { code, message } });
  };
  const take = (line: Uint8Array): void => {
    const value = parseLine(line);
    if (value === undefined) return refuse(PARSE_ERROR, "Parse error: not JSON in UTF-8");
    let message: JSONRPCMessage;
    try {
      message = parseJSONRPCMessage(value);
    } catch {
      const { id } = Object(value) as { id?: unknown };
      return refuse(INVALID_REQUEST, "Invalid Request: no JSON-RPC 2.0 message", id);
    }
    transport.onmessage?.(message);
  };
  const tooLong = (): void =>
    refuse(INVALID_REQUEST, `Invalid Request: longer than ${MAX_LINE_BYTES} bytes`);
  const transport: LineTransport = {
    start() {
      readLines(input, take, tooLong).catch((error) => transport.onerror?.(error))
        .finally(() => transport.close());
      return Promise.resolve();
    },
    send: (message) => write(message),
    close() {
      if (!isClosed) {
        isClosed = true;
        transport.onclose?.();
      }
      return Promise.resolve();
    },
  };
  return transport;
}

/** undefined: it is none. */
function parseLine(line: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
  } catch {
    return undefined;
  }
}

async function readLines(
  input: AsyncIterable<Uint8Array>,
  take: (line: Uint8Array) => void,
  tooLong: () => void,
): Promise<void> {
  let parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of input) {
    let start = 0;
    for (let at; (at = chunk.indexOf(NEWLINE, start)) >= 0; start = at + 1) {
      length += at - start;
      const line = length > MAX_LINE_BYTES ? null : concat([...parts, chunk.subarray(start, at)]);
      parts = [];
      length = 0;
      if (line === null) tooLong();
      else if (!isBlank(line)) take(line);
    }
    length += chunk.length - start;
    if (length > MAX_LINE_BYTES) parts = []; // it goes on until the line's end
    else parts.push(chunk.slice(start));
  }
}

function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 13 || byte === 32 || byte === 9);
}
