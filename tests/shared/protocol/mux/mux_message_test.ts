// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { toHex } from "../../../../shared/protocol/bytes.ts";
import * as limits from "../../../../shared/protocol/mux/mux_limits.ts";
import {
  decodeMux,
  encodeMux,
  MUX_CAPS,
  MUX_TYPE,
  type MuxMessage,
} from "../../../../shared/protocol/mux/mux_message.ts";
import { MUX_REFUSALS } from "../../../../shared/protocol/refusal.ts";
import { documentTable } from "../document.ts";
import { fromHex, plain, testVectors, type Vector, verdict } from "../vectors.ts";

interface MessageVector extends Vector {
  readonly type: number;
  readonly payloadHex: string;
  readonly message?: unknown;
}

testVectors<MessageVector>("mux_message", ({ type, payloadHex, expect, message }) => {
  let got: MuxMessage | undefined;
  const frame = { type, untrustedPayload: fromHex(payloadHex) };
  assertEquals(verdict(() => got = decodeMux(frame)), expect);
  if (got === undefined) return;
  assertEquals(plain(got), message);
  assertEquals(toHex(encodeMux(got)).slice(10), payloadHex);
});

Deno.test("the messages in MUX.md have the types, senders and caps of mux_message.ts", () => {
  const takenBy = { dialer: "acceptor", acceptor: "dialer" } as const;
  const real = Object.entries(MUX_TYPE).map(([name, type]) => {
    const senders = (["dialer", "acceptor"] as const).filter((side) =>
      MUX_CAPS[takenBy[side]].has(type)
    );
    const cap = MUX_CAPS.dialer.get(type) ?? MUX_CAPS.acceptor.get(type);
    return `${type} ${name} ${senders.length === 2 ? "both" : senders[0]} ${cap}`;
  });
  const written = documentTable("mux-messages").rows.map(([type, name, by, , cap]) =>
    `${Number(type)} ${name} ${by} ${cap}`
  );
  assertEquals(written, real);
});

Deno.test("the refusals and limits in MUX.md are those of the code", () => {
  assertEquals(
    documentTable("mux-refusals").rows.map((row) => row.join()),
    MUX_REFUSALS.map((row) => row.join()),
  );
  assertEquals(
    documentTable("mux-limits").rows.map(([name, value]) => `${name} ${value}`),
    Object.entries(limits).map(([name, value]) => `${name} ${value}`)
      .toSorted((a, b) => order(a) - order(b)),
  );
});

/** A namespace lists its names sorted; the document keeps the order of the file. */
function order(line: string): number {
  const names = documentTable("mux-limits").rows.map(([name]) => name);
  return names.indexOf(line.split(" ")[0]);
}
