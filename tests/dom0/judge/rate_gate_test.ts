// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertMatch } from "@std/assert";
import { createRateGate, RATE_LIMITED, type RateGate } from "../../../dom0/judge/rate_gate.ts";
import type { RateSettings } from "../../../dom0/judge/rate_limit.ts";
import type { RequestEvent } from "../../../dom0/judge/request_event.ts";
import { type Checks, judgeRequest } from "../../../dom0/judge/verdict.ts";
import type { StoredKey } from "../../../dom0/settings/key_store.ts";
import { parseAuthKey } from "../../../shared/protocol/auth_key.ts";
import { parseEnvelope, sealEnvelope } from "../../../shared/protocol/envelope.ts";
import type { VmName } from "../../../shared/protocol/vm_name.ts";
import {
  judgedAs,
  KEY,
  LAB,
  OTHER_KEY_TEXT,
  requestFields,
  stoppedClock,
  type TestClock,
  WORK,
} from "../fixture.ts";

const OTHER_KEY = await parseAuthKey(OTHER_KEY_TEXT);
const STORED: StoredKey = { key: KEY, acceptsV1: false };

interface Door {
  readonly clock: TestClock;
  readonly gate: RateGate;
  /** What was recorded. */
  readonly events: string[];
  /** Sends one more request; says what the answer is. */
  ask(key?: typeof KEY, vm?: VmName, stored?: StoredKey): Promise<string>;
}

function openDoor(settings: Partial<RateSettings> = {}, held: Set<string> = new Set()): Door {
  const clock = stoppedClock();
  const events: string[] = [];
  const gate = createRateGate({
    config: () => ({ maxRequestsPerMinute: 100, maxFailuresPerMinute: 100, ...settings }),
    audit: {
      record: (event, { vm }) => void events.push(`${event} ${vm}`),
      sync: () => Promise.resolve(),
      close() {},
    },
    clock,
    onChange() {},
    tellBackedOff: (vm) => void events.push(`told ${vm}`),
  });
  const checks: Checks<null> = {
    judge: () => Promise.resolve(judgedAs("allow")),
    closedBecause: () => null,
    inTurn: (_vm, work) => work,
    isHeld: ({ id }) => held.has(id),
    closed: () => null,
    ledger: { objection: () => null, owes: () => false },
    dateMs: clock.dateMs,
    hasRoom: () => true,
    rates: gate,
    take: () => null,
  };
  let n = 0;
  return {
    ...{ clock, gate, events },
    async ask(key = KEY, vm = WORK, stored = STORED) {
      const fields = requestFields({ n: ++n, vm, issuedAtMs: clock.dateMs() });
      const event: RequestEvent = {
        kind: "request",
        seq: 1,
        request: parseEnvelope(await sealEnvelope(fields, key)),
      };
      const verdict = await judgeRequest({ vm, stored, event, isOpen: () => true }, checks);
      if (verdict.kind === "refused") gate.ended(vm, "refused");
      return verdict.kind === "refused" ? verdict.reason : verdict.kind;
    },
  };
}

Deno.test("after five bad MACs a VM is not listened to, and the operator is told once", async () => {
  const { ask, clock, events, gate } = openDoor();
  for (let n = 0; n < 5; n++) assertEquals(await ask(OTHER_KEY), "bad-mac");
  assertEquals(events, ["auth-backoff work", "told work"]);
  assertMatch(
    gate.problems().join(),
    /^work: its requests are not signed .* until 2026-11-22T09:16/,
  );
  assertEquals([await ask(OTHER_KEY), await ask()], [RATE_LIMITED, RATE_LIMITED]);
  assertEquals(await ask(KEY, LAB), "taken", "another VM");
  clock.advance(60_000);
  assertEquals([gate.problems(), await ask(OTHER_KEY), await ask()], [[], "bad-mac", RATE_LIMITED]);
  clock.advance(120_000);
  assertEquals([await ask(), await ask(OTHER_KEY), await ask()], ["taken", "bad-mac", "taken"]);
  assertEquals(events, ["auth-backoff work", "told work"]);
});

Deno.test("a key that the operator takes anew is listened to at once", async () => {
  const { ask, gate } = openDoor();
  const other: StoredKey = { key: OTHER_KEY, acceptsV1: false };
  for (let n = 0; n < 5; n++) assertEquals(await ask(OTHER_KEY), "bad-mac");
  assertEquals(await ask(OTHER_KEY), RATE_LIMITED);
  assertEquals([await ask(OTHER_KEY, WORK, other), gate.problems()], ["taken", []]);
});

Deno.test("a VM that asks too often is refused until the minute has passed; what it asks again is not counted", async () => {
  const held = new Set<string>();
  const { ask, clock } = openDoor({ maxRequestsPerMinute: 3 }, held);
  assertEquals([await ask(), await ask(), await ask(), await ask()], [
    ...["taken", "taken", "taken"],
    RATE_LIMITED,
  ]);
  held.add(requestFields({ n: 5, issuedAtMs: clock.dateMs() }).id);
  assertEquals([await ask(), await ask(KEY, LAB)], ["held", "taken"]);
  clock.advance(20_000);
  assertEquals([await ask(), await ask()], ["taken", RATE_LIMITED]);
});

Deno.test("commands that hit a limit again and again, and refusals, stop new requests for a while", async () => {
  const { ask, clock, gate } = openDoor({ maxFailuresPerMinute: 3 });
  for (const end of ["done", "timeout", "cancelled", "locked-down"] as const) gate.ended(WORK, end);
  gate.ended(WORK, "memory-limit");
  gate.ended(WORK, "output-limit");
  assertEquals(await ask(), "taken");
  gate.ended(WORK, "process-limit");
  assertEquals([await ask(), await ask(KEY, LAB)], [RATE_LIMITED, "taken"]);
  clock.advance(60_000);
  assertEquals(await ask(), "taken");
});
