// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { parseAuthKey } from "../../../shared/protocol/auth_key.ts";
import {
  authenticate,
  type AuthenticRequest,
  makeNonce,
  parseEnvelope,
  PLAIN_REQUEST,
  sealEnvelope,
} from "../../../shared/protocol/envelope.ts";
import { checkFreshness, rememberForMs } from "../../../shared/protocol/freshness.ts";
import { parseRequestId } from "../../../shared/protocol/request_id.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";
import { testVectors, type Vector } from "./vectors.ts";

interface FreshnessVector extends Vector {
  readonly protocol: 1 | 2;
  readonly issuedAtMs: number;
  readonly nowMs: number;
}

testVectors<FreshnessVector>("freshness", async ({ protocol, issuedAtMs, nowMs, expect }) => {
  const request = { ...await requestIssued(issuedAtMs), protocol };
  assertEquals(checkFreshness(request, nowMs) ?? "ok", expect);
});

Deno.test("what the ledger has forgotten is refused by its date alone", async () => {
  for (const protocol of [1, 2] as const) {
    // Taken as early as its date allows: that is the case in which it stays fresh longest.
    const takenAtMs = Date.UTC(2026, 10, 22);
    let lead = 0;
    const at = async (issuedAtMs: number) => ({ ...await requestIssued(issuedAtMs), protocol });
    for (let step = 2 ** 30; step >= 1; step /= 2) {
      if (checkFreshness(await at(takenAtMs + lead + step), takenAtMs) === null) lead += step;
    }
    const request = await at(takenAtMs + lead);
    const forgottenAtMs = takenAtMs + rememberForMs(protocol);
    assertEquals(checkFreshness(request, takenAtMs), null, "taken");
    assertEquals(checkFreshness(request, forgottenAtMs), null, "fresh to the last moment");
    assertEquals(checkFreshness(request, forgottenAtMs + 1), "stale", `protocol ${protocol}`);
  }
});

async function requestIssued(issuedAtMs: number): Promise<AuthenticRequest> {
  const key = await parseAuthKey("00".repeat(32));
  const bytes = await sealEnvelope({
    id: parseRequestId("20261122-091500-4242-a1b2c3d4"),
    vm: parseVmName("work"),
    issuedAtMs,
    timeoutMs: 1000,
    mode: "script",
    ...PLAIN_REQUEST,
    nonce: makeNonce(),
    body: new Uint8Array([58]),
  }, key);
  const request = await authenticate(parseEnvelope(bytes), key);
  if (request === null) throw new Error("the test's own request is not authentic");
  return request;
}
