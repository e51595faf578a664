// SPDX-License-Identifier: GPL-2.0-or-later
/** The gateway's WebSocket, protocol 4, as its own command line uses it. @module */

import type { OpenClawHome } from "./real_openclaw.ts";

export interface Reply {
  readonly ok: boolean;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly error: Readonly<Record<string, unknown>> | undefined;
}

export interface GatewaySocket extends AsyncDisposable {
  /** @param final a request of this kind is answered twice: taken, and done */
  request(method: string, params: unknown, final?: boolean): Promise<Reply>;
  /** Why the gateway closed the connection, once it has. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

interface Frame {
  readonly type: string;
  readonly event?: string;
  readonly id?: string;
  readonly ok?: boolean;
  readonly payload?: Record<string, unknown>;
  readonly error?: Record<string, unknown>;
}

const REPLY_MS = 90_000;

/** @returns the socket and the answer to "connect"; a refused one is closed by the gateway */
export async function openSocket(
  url: string,
  token: string,
): Promise<GatewaySocket & { readonly hello: Reply }> {
  const socket = new WebSocket(url.replace("http:", "ws:"));
  const waiting = new Map<string, { take: (reply: Reply) => void; final: boolean }>();
  let challenge = (): void => {};
  const challenged = new Promise<void>((resolve) => challenge = resolve);
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.onclose = ({ code, reason }) => resolve({ code, reason });
  });
  socket.onmessage = ({ data }) => {
    const frame: Frame = JSON.parse(data);
    if (frame.event === "connect.challenge") challenge();
    const found = frame.type === "res" ? waiting.get(frame.id ?? "") : undefined;
    if (found === undefined) return;
    const payload = frame.payload ?? {};
    if (found.final && frame.ok === true && payload["status"] === "accepted") return;
    waiting.delete(frame.id ?? "");
    found.take({ ok: frame.ok === true, payload, error: frame.error });
  };
  const request = (method: string, params: unknown, final = false): Promise<Reply> => {
    const id = crypto.randomUUID();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to ${method}`)), REPLY_MS);
      const take = (reply: Reply): void => (clearTimeout(timer), resolve(reply));
      waiting.set(id, { take, final });
      socket.send(JSON.stringify({ type: "req", id, method, params }));
    });
  };
  await challenged;
  const hello = await request("connect", {
    ...{ minProtocol: 4, maxProtocol: 4, role: "operator" },
    client: { id: "gateway-client", version: "1", platform: "linux", mode: "backend" },
    scopes: ["operator.read", "operator.write", "operator.admin"],
    ...{ caps: [], auth: { token } },
  });
  return {
    ...{ request, closed, hello },
    async [Symbol.asyncDispose]() {
      socket.close();
      await closed;
    },
  };
}

/** One turn of the agent "main" in a session of its own. */
export interface Turn {
  readonly sessionKey: string;
  /** The text of the answer; rejects if the run failed. */
  readonly text: Promise<string>;
}

export function startTurn(
  socket: GatewaySocket,
  model: string,
  message: string,
  session: string = crypto.randomUUID(),
): Turn {
  const sessionKey = `agent:main:${session}`;
  const text = socket.request("agent", {
    ...{ message, agentId: "main", sessionKey, deliver: false },
    ...splitModel(model),
    idempotencyKey: crypto.randomUUID(),
  }, true).then(({ ok, payload, error }) => {
    const result = payload["result"] as { payloads?: { text?: string }[] } | undefined;
    const said = result?.payloads?.map((one) => one.text ?? "").join("\n");
    if (!ok || said === undefined) throw new Error(JSON.stringify(error ?? payload));
    return said;
  });
  return { sessionKey, text };
}

function splitModel(name: string): { readonly provider: string; readonly model: string } {
  const slash = name.indexOf("/");
  return { provider: name.slice(0, slash), model: name.slice(slash + 1) };
}

export function openGateway(place: OpenClawHome): ReturnType<typeof openSocket> {
  return openSocket(`http://127.0.0.1:${place.gatewayPort}`, place.gatewayToken);
}
