// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The port: connections in, requests out, within limits of number, size and time. It is the server of
 * node:http, which is a part of Deno: that of Deno itself waits for ever for a header that does not
 * come, and takes any number of connections.
 *
 * @module
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { concat } from "../../../shared/protocol/bytes.ts";
import { MAX_HEADER_BYTES, type ServerLimits } from "./limits.ts";
import { type Answer, HttpError } from "./http_message.ts";

export interface RawRequest {
  readonly method: string;
  /** As it came: "/path?query". */
  readonly target: string;
  /** Names in lower case; repeated headers are joined, except Host. */
  readonly headers: Headers;
  readonly hosts: readonly string[];
  /** @throws {HttpError} 413 if it is longer */
  readBody(maxBytes: number): Promise<Uint8Array>;
}

export interface Listening {
  readonly port: number;
  /** Ends every connection. Resolves when the port is free. */
  close(): Promise<void>;
}

/** Never throws; an answer for everything. */
export type Handler = (request: RawRequest) => Promise<Answer>;

const LOOPBACK = "127.0.0.1";
const CHECK_MS = 500;

/** @param port 0 for any, in tests */
export function listen(port: number, limits: ServerLimits, handler: Handler): Promise<Listening> {
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: limits.headerMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.idleMs,
    connectionsCheckingInterval: CHECK_MS,
    insecureHTTPParser: false,
  }, (request, response) => void serve(request, response, handler));
  server.maxConnections = limits.connections;
  server.on("checkContinue", (request, response) => void serve(request, response, handler));
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, LOOPBACK, () => {
      server.off("error", reject);
      const address = server.address();
      if (address === null || typeof address === "string") throw new Error("bug: no port");
      resolve({
        port: address.port,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  handler: Handler,
): Promise<void> {
  request.on("error", () => {}); // a client that broke off gets no answer
  response.on("error", () => {});
  const answer = await handler(asRaw(request));
  const headers = [...answer.headers].map(([name, value]): [string, string] => [name, value]);
  // The rest of an unread body is never read.
  if (!request.complete) headers.push(["connection", "close"]);
  response.writeHead(answer.status, headers.flat());
  if (typeof answer.body === "string") {
    response.end(answer.body);
    if (!request.complete) response.once("finish", () => request.socket.destroySoon());
    return;
  }
  const stream = answer.body((event, data) => {
    if (!response.closed) response.write(`event: ${event}\ndata: ${data}\n\n`);
  });
  response.once("close", () => stream.close());
}

function asRaw(request: IncomingMessage): RawRequest {
  const { method = "", url = "", rawHeaders } = request;
  const headers = new Headers();
  const hosts: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = [rawHeaders[at]?.toLowerCase(), rawHeaders[at + 1]];
    if (name === "host") hosts.push(value);
    else headers.append(name, value);
  }
  return {
    method,
    target: url,
    headers,
    hosts,
    readBody: (maxBytes) => readBody(request, maxBytes),
  };
}

function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const parts: Uint8Array[] = [];
  let length = 0;
  const tooLong = (): void => {
    request.pause();
    reject(new HttpError(413, `a form has at most ${maxBytes} bytes here`));
  };
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) tooLong();
  request.on("data", (part: Uint8Array) => {
    length += part.length;
    if (length > maxBytes) tooLong();
    else parts.push(part);
  });
  request.once("end", () => resolve(concat(parts)));
  request.once("close", () => reject(new HttpError(408, "the form did not come")));
  return promise;
}
