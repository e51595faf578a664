// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The handshake of the gateway's WebSocket, protocol 4: what the dashboard and every other client
 * begin with, and where pairing goes wrong.
 *
 *     gateway                                   here
 *      | -- event connect.challenge -----------> |
 *      | <- req connect { role, auth } --------- |
 *      | -- res ok { hello-ok } ---------------> |   or res error { details.code }, close 1008
 *
 * @module
 */

import { asText } from "../probe/as_text.ts";
import { type PairingError, pairingErrorOf } from "./pairing.ts";

export type Handshake =
  | { readonly kind: "accepted"; readonly untrustedVersion: string }
  | {
    readonly kind: "refused";
    readonly error: PairingError | null;
    readonly untrustedText: string;
  }
  | { readonly kind: "failed"; readonly text: string };

export type ShakeHands = (
  url: string,
  token: string | null,
  timeoutMs: number,
) => Promise<Handshake>;

type Reply =
  | { readonly kind: "send"; readonly text: string }
  | { readonly kind: "wait" }
  | Handshake;

/** What one message of the gateway means. Pure. */
export function replyTo(untrustedMessage: unknown, token: string | null): Reply {
  const message = objectFrom(untrustedMessage);
  if (message["type"] === "event" && message["event"] === "connect.challenge") {
    return { kind: "send", text: connectRequest(token) };
  }
  if (message["type"] !== "res") return { kind: "wait" };
  if (message["ok"] === true) {
    const server = objectIn(objectIn(message, "payload"), "server");
    return { kind: "accepted", untrustedVersion: asText(server["version"]) };
  }
  const error = objectIn(message, "error");
  const code = asText(objectIn(error, "details")["code"] ?? error["code"]);
  const text = asText(error["message"]) || code;
  return { kind: "refused", error: pairingErrorOf(`${code} ${text}`), untrustedText: text };
}

function connectRequest(token: string | null): string {
  const params = {
    minProtocol: 4,
    maxProtocol: 4,
    role: "operator",
    scopes: ["operator.read"],
    caps: [],
    client: { id: "openclaw-probe", version: "1", platform: "linux", mode: "probe" },
    ...(token === null ? {} : { auth: { token } }),
  };
  return JSON.stringify({ type: "req", id: "1", method: "connect", params });
}

/** Never throws. */
export const shakeHands: ShakeHands = (url, token, timeoutMs) =>
  new Promise((resolve) => {
    const socket = new WebSocket(url.replace(/^http/, "ws"));
    const end = (result: Handshake): void => {
      clearTimeout(timer);
      if (socket.readyState < WebSocket.CLOSING) socket.close();
      resolve(result);
    };
    const late = (): void => end({ kind: "failed", text: `no answer in ${timeoutMs / 1000} s` });
    const timer = setTimeout(late, timeoutMs);
    socket.onmessage = ({ data }) => {
      const reply = replyTo(parsed(data), token);
      if (reply.kind === "send") socket.send(reply.text);
      else if (reply.kind !== "wait") end(reply);
    };
    socket.onerror = () => end({ kind: "failed", text: "there is no WebSocket" });
    socket.onclose = () => end({ kind: "failed", text: "it hangs up" });
  });

function parsed(data: unknown): unknown {
  try {
    return typeof data === "string" ? JSON.parse(data) : null;
  } catch {
    return null;
  }
}

function objectIn(value: Readonly<Record<string, unknown>>, name: string) {
  return objectFrom(value[name]);
}

function objectFrom(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}
