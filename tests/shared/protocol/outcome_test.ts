// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { parseAuthKey } from "../../../shared/protocol/auth_key.ts";
import { toHex, utf8 } from "../../../shared/protocol/bytes.ts";
import { MAX_META_BYTES } from "../../../shared/protocol/limits.ts";
import {
  EMPTY_STREAM,
  encodeMeta,
  EXIT_OF_KIND,
  type Outcome,
  outcomeMacInput,
  parseMeta,
  refusedOutcome,
  signOutcome,
  verifyOutcome,
} from "../../../shared/protocol/outcome.ts";
import { parseRequestId } from "../../../shared/protocol/request_id.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";
import {
  inputBytes,
  plain,
  readVectors,
  testVectors,
  type Vector,
  verdict,
  verdictOf,
} from "./vectors.ts";

testVectors<Vector & { input?: string; inputHex?: string }>("meta", (vector) => {
  const bytes = inputBytes(vector);
  assertEquals(verdict(() => parseMeta(bytes)), vector.expect);
  if (vector.expect !== "ok") return;
  assertEquals(encodeMeta(parseMeta(bytes)), vector.input ?? "", "there and back");
});

interface OutcomeVector extends Vector {
  readonly key: string;
  readonly vm: string;
  readonly outcome: Outcome;
  readonly meta: string;
  readonly macInputHex: string;
  readonly mac: string;
}

testVectors<OutcomeVector>("outcome_mac", async (vector) => {
  const { outcome, meta, macInputHex, mac } = vector;
  const key = await parseAuthKey(vector.key);
  const vm = parseVmName(vector.vm);
  assertEquals(encodeMeta(outcome), meta);
  assert(utf8(meta).length <= MAX_META_BYTES, "the meta fits its limit");
  assertEquals(plain(parseMeta(utf8(meta))), plain(outcome), "every field comes back");
  assertEquals(toHex(outcomeMacInput(vm, outcome)), macInputHex, "MAC input");
  assertEquals(toHex(await signOutcome(key, vm, outcome)), mac);
  assertEquals(await verifyOutcome(key, vm, parseMeta(utf8(meta)), mac), true);
});

Deno.test("a result does not verify for another VM, another key or another request", async () => {
  const [first] = readVectors<OutcomeVector>("outcome_mac");
  if (first === undefined) throw new Error("no vector");
  const key = await parseAuthKey(first.key);
  const [vm, other] = [parseVmName(first.vm), parseVmName("other")];
  const { outcome, mac } = first;
  assertEquals(await verifyOutcome(key, vm, outcome, mac), true);
  assertEquals(await verifyOutcome(key, other, outcome, mac), false, "another VM");
  assertEquals(await verifyOutcome(await parseAuthKey("22".repeat(32)), vm, outcome, mac), false);
  const changes: { readonly [field in keyof Outcome]: Outcome[field] } = {
    id: parseRequestId("20261122-091500-4242-a1b2c3d5"),
    nonce: "-",
    kind: "output-limit",
    reason: "stale",
    exitCode: 1,
    startedAtMs: 1_795_338_900_201,
    durationMs: 26,
    out: { ...outcome.out, bytes: 7 },
    err: { ...outcome.err, sha256: outcome.out.sha256 },
    limit: null,
  };
  for (const [field, value] of Object.entries(changes)) {
    const changed = { ...outcome, [field]: value };
    assertEquals(await verifyOutcome(key, vm, changed, mac), false, `${field} is not covered`);
  }
});

Deno.test("a MAC file that is not 64 hex digits is refused", async () => {
  const [first] = readVectors<OutcomeVector>("outcome_mac");
  if (first === undefined) throw new Error("no vector");
  const key = await parseAuthKey(first.key);
  for (const text of ["", first.mac.slice(1), first.mac.toUpperCase(), `${first.mac}\n`]) {
    const attempt = verifyOutcome(key, parseVmName(first.vm), first.outcome, text);
    assertEquals(await verdictOf(attempt), "bad-argument", JSON.stringify(text));
  }
});

Deno.test("refusedOutcome() is a whole outcome that parses", () => {
  const id = parseRequestId("20261122-091500-4242-a1b2c3d4");
  const outcome = refusedOutcome(id, "-", "locked-down");
  assertEquals(plain(parseMeta(utf8(encodeMeta(outcome)))), plain(outcome));
  assertEquals(outcome.exitCode, 126);
  assertEquals(outcome.startedAtMs, null);
  assertEquals(plain(outcome.out), plain(EMPTY_STREAM));
});

Deno.test("each kind of outcome has the exit codes it may have, and no other", () => {
  for (const [kind, own] of Object.entries(EXIT_OF_KIND)) {
    const reason = kind === "refused" ? "stale" : "-";
    for (let exit = 0; exit <= 255; exit++) {
      const meta = encodeMeta(
        refusedOutcome(parseRequestId("20261122-091500-1-a1b2c3d4"), "-", "stale"),
      )
        .replace("outcome=refused", `outcome=${kind}`).replace("reason=stale", `reason=${reason}`)
        .replace("exit_code=126", `exit_code=${exit}`);
      const want = own === null || own === exit ? "ok" : "bad-meta";
      assertEquals(verdict(() => parseMeta(utf8(meta))), want, `${kind} with exit ${exit}`);
    }
  }
});
