// SPDX-License-Identifier: GPL-2.0-or-later
/** The handshake's messages, and which error of pairing each is. @module */

import { assert, assertEquals } from "@std/assert";
import type { HttpAnswer } from "../../../vm/probe/http_answer.ts";
import { gatewayVerdict, proxyVerdict } from "../../../vm/probe/verdict.ts";
import { replyTo } from "../../../vm/ctl/gateway_socket.ts";
import { pairingErrorOf, readDevices, REQUEST_ID } from "../../../vm/ctl/pairing.ts";

const refusal = (code: string, message: string) => ({
  ...{ type: "res", id: "1", ok: false },
  error: { code: "INVALID_REQUEST", message, details: { code } },
});

Deno.test("a challenge is answered, with the token only if there is one", () => {
  const challenge = { type: "event", event: "connect.challenge", payload: { nonce: "n", ts: 1 } };
  const reply = replyTo(challenge, "secret");
  assert(reply.kind === "send");
  const { method, params } = JSON.parse(reply.text);
  assertEquals([method, params.minProtocol, params.maxProtocol], ["connect", 4, 4]);
  assertEquals([params.client.mode, params.auth], ["probe", { token: "secret" }]);
  const without = replyTo(challenge, null);
  assert(without.kind === "send" && !without.text.includes("auth"));
});

Deno.test("what the gateway says is told apart", () => {
  const ok = { type: "res", ok: true, payload: { server: { version: "2026.9.6" } } };
  assertEquals(replyTo(ok, null), { kind: "accepted", untrustedVersion: "2026.9.6" });
  for (
    const [message, error] of [
      [refusal("AUTH_TOKEN_MISMATCH", "unauthorized: gateway token mismatch"), "token-mismatch"],
      [
        refusal("DEVICE_IDENTITY_REQUIRED", "device identity required"),
        "device-identity-required",
      ],
      [refusal("PAIRING_REQUIRED", "pairing required: not approved yet"), "pairing-required"],
      [refusal("PROTOCOL_MISMATCH", "reload"), null],
    ] as const
  ) {
    const reply = replyTo(message, "t");
    assert(reply.kind === "refused");
    assertEquals(reply.error, error);
  }
  for (const odd of [null, 7, "x", [], {}, { type: "event", event: "tick" }]) {
    assertEquals(replyTo(odd, null), { kind: "wait" });
  }
  assertEquals(replyTo({ type: "res" }, null).kind, "refused");
});

Deno.test("the three errors, as browsers show them", () => {
  assertEquals(pairingErrorOf("1008: pairing required (requestId: x)"), "pairing-required");
  assertEquals(pairingErrorOf("DEVICE IDENTITY REQUIRED"), "device-identity-required");
  assertEquals(pairingErrorOf("token_mismatch"), "token-mismatch");
  assertEquals(pairingErrorOf("origin not allowed"), null);
});

Deno.test("a list of devices, and what is none", () => {
  const list = readDevices('{"pending":[{"requestId":"a","ts":5},null],"paired":[1,2]}');
  assertEquals([list?.paired, list?.pending.length], [2, 2]);
  assertEquals([list?.pending[0]?.untrustedRequest, list?.pending[0]?.atMs], ["a", 5]);
  for (const odd of ["", "{", "null", "[]", '{"pending":{}}', '{"pending":[]}']) {
    assertEquals(readDevices(odd), null);
  }
  for (const good of ["ed558aeb-edf7-4a61-889b-9fca4a74e8f0", "a", "A1_b.c:d"]) {
    assert(REQUEST_ID.test(good));
  }
  for (const bad of ["", "-a", "--json", "a b", "a\n", "a;b", "../a", "x".repeat(200)]) {
    assert(!REQUEST_ID.test(bad), bad);
  }
});

Deno.test("lists in lists in lists, where a text should be, are no text and no crash", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  const list: unknown = JSON.parse(deep);
  const answer = (untrustedText: string, status = 200): HttpAnswer => ({
    ...{ kind: "answer", status, untrustedText },
  });
  const verdict = gatewayVerdict({
    healthz: answer('{"ok":true}'),
    startupz: answer(`{"status":${deep}}`),
    readyz: answer(`{"failing":[${deep}]}`, 503),
  });
  assertEquals(verdict, { kind: "degraded", text: "it answers with HTTP status 503" });
  const proxy =
    `{"status":"healthy","proxy_version":${deep},"providers":[${deep},{"name":${deep}}]}`;
  assertEquals(proxyVerdict(answer(proxy)), { kind: "ok" });
  const reply = replyTo({ type: "res", error: { message: list, details: { code: list } } }, "t");
  assertEquals(reply, { kind: "refused", error: null, untrustedText: "" });
  const devices = readDevices(`{"pending":[{"requestId":${deep},"scopes":[${deep}]}],"paired":[]}`);
  assertEquals(devices?.pending[0]?.untrustedScopes, []);
});
