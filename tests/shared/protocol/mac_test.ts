// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { parseAuthKey } from "../../../shared/protocol/auth_key.ts";
import { toHex } from "../../../shared/protocol/bytes.ts";
import {
  computeMac,
  MAC_BYTES,
  macInput,
  type MacLabel,
  verifyMac,
} from "../../../shared/protocol/mac.ts";
import { fromHex, readVectors, testVectors, type Vector } from "./vectors.ts";

interface MacVector extends Vector {
  readonly label: MacLabel;
  readonly fields: readonly (string | { readonly hex: string })[];
  readonly inputHex: string;
  readonly key: string;
  readonly mac: string;
}

const inputOf = ({ label, fields }: MacVector) =>
  macInput(label, fields.map((field) => typeof field === "string" ? field : fromHex(field.hex)));

testVectors<MacVector>("mac", async (vector) => {
  assertEquals(toHex(inputOf(vector)), vector.inputHex);
  const key = await parseAuthKey(vector.key);
  assertEquals(toHex(await computeMac(key.protocol2, inputOf(vector))), vector.mac);
  assertEquals(await verifyMac(key.protocol2, fromHex(vector.mac), inputOf(vector)), true);
});

Deno.test("no two lists of fields have the same bytes under the MAC", () => {
  const inputs = readVectors<MacVector>("mac").map(inputOf).map(toHex);
  assertEquals(new Set(inputs).size, inputs.length);
});

Deno.test("verifyMac() refuses every single flipped bit, and every other length", async () => {
  const { protocol2 } = await parseAuthKey("00".repeat(32));
  const input = macInput("qvm-remote/2/request", ["x"]);
  const mac = await computeMac(protocol2, input);
  assertEquals(mac.length, MAC_BYTES);
  for (let bit = 0; bit < 8 * MAC_BYTES; bit++) {
    const wrong = mac.slice();
    wrong[bit >> 3] = (wrong[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assertEquals(await verifyMac(protocol2, wrong, input), false, `bit ${bit}`);
  }
  for (let length = 0; length < MAC_BYTES; length++) {
    assertEquals(await verifyMac(protocol2, mac.slice(0, length), input), false, `${length} bytes`);
  }
});
