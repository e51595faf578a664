// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseAuthKey } from "../../../shared/protocol/auth_key.ts";
import { type Bytes, concat, toHex, utf8 } from "../../../shared/protocol/bytes.ts";
import {
  authenticate,
  makeNonce,
  type Mode,
  neededCapabilities,
  parseEnvelope,
  PLAIN_REQUEST,
  type RequestFields,
  requestMacInput,
  sealEnvelope,
} from "../../../shared/protocol/envelope.ts";
import { parseFlags } from "../../../shared/protocol/flags.ts";
import { MAX_BODY_BYTES, MAX_HEADER_BYTES } from "../../../shared/protocol/limits.ts";
import type { Brings } from "../../../shared/protocol/payload.ts";
import { parseRequestId } from "../../../shared/protocol/request_id.ts";
import { parseVmName } from "../../../shared/protocol/vm_name.ts";
import { encodeUnverified } from "../../fuzz/encode_again.ts";
import {
  fromHex,
  inputBytes,
  plain,
  readVectors,
  testVectors,
  type Vector,
  verdict,
  verdictOf,
} from "./vectors.ts";

testVectors<Vector & { input?: string; inputHex?: string }>("envelope", (vector) => {
  const bytes = inputBytes(vector);
  assertEquals(verdict(() => parseEnvelope(bytes)), vector.expect);
  if (vector.expect !== "ok") return;
  assertEquals(plain(encodeUnverified(parseEnvelope(bytes))), plain(bytes), "there and back");
});

interface SealVector extends Vector {
  readonly key: string;
  readonly fields: {
    readonly id: string;
    readonly vm: string;
    readonly issuedAtMs: number;
    readonly timeoutMs: number;
    readonly mode: Mode;
    /** As the line has them; not there: "-". */
    readonly flags?: string;
    readonly why?: string;
    readonly payload?: Brings;
    readonly nonce: string;
    readonly bodyHex: string;
  };
  readonly macInputHex: string;
  readonly mac: string;
  readonly fileHex: string;
}

testVectors<SealVector>("envelope_seal", async (vector) => {
  const { id, vm, bodyHex, flags = "-", why = null, payload = null, ...others } = vector.fields;
  const fields: RequestFields = {
    ...others,
    ...{ id: parseRequestId(id), vm: parseVmName(vm), body: fromHex(bodyHex) },
    ...{ flags: parseFlags(flags), why, payload },
  };
  const { body } = fields;
  const key = await parseAuthKey(vector.key);
  assertEquals(toHex(requestMacInput(fields)), vector.macInputHex, "MAC input");
  const file = await sealEnvelope(fields, key);
  assertEquals(toHex(file), vector.fileHex, "file");
  assert(file.length - body.length <= MAX_HEADER_BYTES, "the header fits its limit");
  const parsed = parseEnvelope(file);
  assertEquals(toHex(parsed.untrustedMac), vector.mac);
  assertEquals(plain(parsed.fields), plain(fields), "every field comes back");
  const request = await authenticate(parsed, key);
  assertEquals(request?.digest, vector.mac);
  assertEquals(request?.protocol, 2);
});

/** A request of the tests, and its file. */
async function sealed(changes: Partial<RequestFields> = {}) {
  const key = await parseAuthKey("11".repeat(32));
  const fields: RequestFields = {
    id: parseRequestId("20261122-091500-4242-a1b2c3d4"),
    vm: parseVmName("work"),
    issuedAtMs: 1_795_338_900_123,
    timeoutMs: 300_000,
    mode: "script",
    ...PLAIN_REQUEST,
    nonce: "0123456789abcdef0123456789abcdef",
    body: utf8("qvm-ls\n"),
    ...changes,
  };
  return { key, fields, file: await sealEnvelope(fields, key) };
}

Deno.test("a change of any field, or another key, makes a request that is not authentic", async () => {
  const { key, file } = await sealed();
  const request = parseEnvelope(file);
  assert(await authenticate(request, key) !== null, "the request itself is authentic");
  const changes: Required<{ [field in keyof RequestFields]: RequestFields[field] }> = {
    id: parseRequestId("20261122-091500-4242-a1b2c3d5"),
    vm: parseVmName("work2"),
    issuedAtMs: 1_795_338_900_124,
    timeoutMs: 300_001,
    mode: "argv",
    flags: new Set(["explain"]),
    why: "because",
    nonce: "0123456789abcdef0123456789abcdee",
    body: utf8("qvm-ls \n"),
    payload: { bytes: 7, sha256: "0".repeat(64) },
  };
  for (const [field, value] of Object.entries(changes)) {
    const changed = { ...request, fields: { ...request.fields, [field]: value } };
    assertEquals(await authenticate(changed, key), null, `${field} is not under the MAC`);
  }
  assertEquals(await authenticate(request, await parseAuthKey("12".repeat(32))), null, "other key");
});

Deno.test("no single flipped bit of a file leaves an authentic request", async () => {
  const { key, file } = await sealed();
  let refused = 0;
  let parsed = 0;
  for (let bit = 0; bit < 8 * file.length; bit++) {
    const changed = file.slice();
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    if (verdict(() => parseEnvelope(changed)) !== "ok") {
      refused++;
      continue;
    }
    parsed++;
    assertEquals(await authenticate(parseEnvelope(changed), key), null, `bit ${bit}`);
  }
  assert(refused > 500 && parsed > 200, `${refused} refused, ${parsed} parsed: a test of nothing`);
});

Deno.test("no file cut short parses", async () => {
  const { file } = await sealed();
  for (let length = 0; length < file.length; length++) {
    const cut = file.subarray(0, length);
    assertEquals(verdict(() => parseEnvelope(cut)), "bad-envelope", `${length} bytes`);
  }
});

Deno.test("the largest body passes, one byte more does not", async () => {
  const largest = (await sealed({ body: new Uint8Array(MAX_BODY_BYTES).fill(97) })).file;
  assertEquals(parseEnvelope(largest).fields.body.length, MAX_BODY_BYTES);
  const { file } = await sealed({ body: new Uint8Array(MAX_BODY_BYTES + 1).fill(97) });
  assertEquals(verdict(() => parseEnvelope(file)), "too-long");
  const lying = concat([largest, utf8("a")]);
  assertEquals(verdict(() => parseEnvelope(lying)), "too-long");
});

Deno.test("a header past its limit is refused, even if the lines are in order", async () => {
  const { file } = await sealed();
  const padded: Bytes = concat([
    utf8("qvm-remote 2\nid " + "a".repeat(MAX_HEADER_BYTES) + "\n"),
    file.slice(13),
  ]);
  assertEquals(verdict(() => parseEnvelope(padded)), "bad-envelope");
});

Deno.test("parseEnvelope() reads a view into a larger buffer, and keeps a copy of the body", async () => {
  const { file } = await sealed();
  const buffer = concat([utf8("noise"), file, utf8("noise")]);
  const { fields } = parseEnvelope(buffer.subarray(5, 5 + file.length));
  buffer.fill(0);
  assertEquals(plain(fields.body), plain(utf8("qvm-ls\n")));
});

Deno.test("makeNonce() gives 128 bits, never the same", () => {
  const nonces = Array.from({ length: 200 }, makeNonce);
  for (const nonce of nonces) assertMatch(nonce, /^[0-9a-f]{32}$/);
  assertEquals(new Set(nonces).size, nonces.length);
});

Deno.test("a reason and its absence, and a reason moved into the body, have different MAC inputs", async () => {
  const inputs = [
    { why: null, body: utf8("because") },
    { why: "because", body: utf8("because") },
    { why: "because", body: utf8("") },
    { why: "becaus", body: utf8("e") },
    { why: null, nonce: "0123456789abcdef0123456789abcdee", body: utf8("because") },
    { payload: { bytes: 7, sha256: "0".repeat(64) } },
    { payload: { bytes: 7, sha256: "1".repeat(64) } },
    { payload: { bytes: 8, sha256: "0".repeat(64) } },
    { payload: "live" as const },
    { why: `7 ${"0".repeat(64)}` },
    { why: "because", payload: { bytes: 7, sha256: "0".repeat(64) } },
  ];
  const made = await Promise.all(inputs.map(async (changes) => {
    return toHex(requestMacInput((await sealed(changes)).fields));
  }));
  assertEquals(new Set(made).size, inputs.length);
});

Deno.test("what is of the first form needs no capability, and everything else does", async () => {
  const payload = { bytes: 7, sha256: "0".repeat(64) };
  const changes: readonly [Partial<RequestFields>, string][] = [
    [{}, ""],
    [{ mode: "argv", body: utf8("true\0") }, ""],
    [{ payload }, "payloads"],
    [{ payload, mode: "op", body: utf8("ops\0") }, "operations,payloads"],
    [{ mode: "op", body: utf8("ops\0") }, "operations"],
    [{ mode: "plan", body: utf8("{}") }, "operations"],
    [{ flags: new Set(["explain"]) }, "operations"],
    [{ why: "because" }, "operations"],
  ];
  for (const [change, want] of changes) {
    const { fields, file } = await sealed(change);
    assertEquals(neededCapabilities(fields).join(), want, JSON.stringify(change));
    assertEquals(
      neededCapabilities(parseEnvelope(file).fields).join(),
      want,
      JSON.stringify(change),
    );
  }
});

Deno.test("a request that cannot be parsed is not sealed", async () => {
  const changes: readonly Partial<RequestFields>[] = [
    { why: "" },
    { why: "be\ncause" },
    { why: "a".repeat(201) },
    { flags: new Set(["json"]) },
  ];
  for (const change of changes) {
    assertEquals(await verdictOf(sealed(change)), "bad-argument", JSON.stringify(change));
  }
});

Deno.test("a header of the first form fits what an older peer reads", () => {
  const olderLimit = 512;
  const longest = readVectors<SealVector>("envelope_seal").filter(({ fields }) =>
    fields.why === undefined && fields.flags === undefined
  ).map(({ fileHex, fields }) => (fileHex.length - fields.bodyHex.length) / 2);
  assert(Math.max(...longest) <= olderLimit, `${Math.max(...longest)} bytes`);
});
