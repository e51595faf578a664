// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertNotEquals } from "@std/assert";
import { parseAuthKey } from "../../../shared/protocol/auth_key.ts";
import { parseRequestId, parseV1Id } from "../../../shared/protocol/request_id.ts";
import { authenticateV1, V1_NONCE, V1_TIMEOUT_MS, v1Token } from "../../../shared/protocol/v1.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";
import { fromHex, plain, testVectors, type Vector, verdictOf } from "./vectors.ts";

interface TokenVector extends Vector {
  readonly key: string;
  readonly id: string;
  readonly token: string;
  readonly bodyHex: string;
  /** SHA-256 of the body. */
  readonly digest: string;
}

const vm = parseVmName("work");

testVectors<TokenVector>("v1_token", async (vector) => {
  const { expect, token, bodyHex, digest } = vector;
  const key = await parseAuthKey(vector.key);
  const id = parseV1Id(vector.id);
  assertEquals(await v1Token(key, id) === token, expect === "ok", "the token itself");
  const attempt = authenticateV1({ id, untrustedToken: token, body: fromHex(bodyHex) }, key, vm);
  if (expect === "bad-argument") return assertEquals(await verdictOf(attempt), expect);
  const request = await attempt;
  if (expect === "refused") return assertEquals(request, null);
  assertEquals(request?.id, id);
  assertEquals(request?.vm, vm);
  assertEquals(plain(request?.body), `hex:${bodyHex}`);
  assertEquals(request?.protocol, 1);
  assertEquals(request?.mode, "script");
  assertEquals(request?.timeoutMs, V1_TIMEOUT_MS);
  assertEquals(request?.nonce, V1_NONCE);
  assertEquals(request?.digest, digest);
});

Deno.test("a protocol 1 request with another body has another digest, though one token fits both", async () => {
  const key = await parseAuthKey("00".repeat(32));
  const id = parseRequestId("20260218-143022-1234-a1b2c3d4");
  const untrustedToken = await v1Token(key, id);
  const [first, second] = await Promise.all(
    [[1], [2]].map((body) =>
      authenticateV1({ id, untrustedToken, body: new Uint8Array(body) }, key, vm)
    ),
  );
  assertNotEquals(first?.digest, undefined);
  assertNotEquals(first?.digest, second?.digest);
});

Deno.test("a protocol 1 request is dated by its id", async () => {
  const key = await parseAuthKey("00".repeat(32));
  const id = parseRequestId("20260218-143022-1234-a1b2c3d4");
  const untrustedToken = await v1Token(key, id);
  const request = await authenticateV1({ id, untrustedToken, body: new Uint8Array(1) }, key, vm);
  assertEquals(request?.issuedAtMs, Date.UTC(2026, 1, 18, 14, 30, 22));
});
