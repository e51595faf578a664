// SPDX-License-Identifier: GPL-2.0-or-later
/** A key that a provider quotes in an error inside a stream does not get through. @module */

import { assert, assertEquals } from "@std/assert";
import { scrubErrors } from "../../../../vm/proxy/stream/scrub_bytes.ts";

const KEY = "sk-secret";
const scrub = (text: string): string => text.replaceAll(KEY, "[secret]");
const scrubbed = (text: string): string =>
  new TextDecoder().decode(scrubErrors(new TextEncoder().encode(text), scrub));

Deno.test("an error is looked through wherever it stands, and all else passes as it came", () => {
  const errors = [
    `"error"${KEY}`,
    `data: {"error":{"message":"bad ${KEY}"}}\n\n`,
    `data: {"e":"","er":1}\n\ndata: {"type":"error","m":"${KEY}"}\n\n`,
    `${KEY}"error"`,
  ];
  for (const text of errors) assertEquals(scrubbed(text), text.replaceAll(KEY, "[secret]"));
  const others = ["", '"', '"erro', `data: {"content":"${KEY}"}\n\n`, `\\"error\\" ${KEY}`];
  for (const text of others) {
    const bytes = new TextEncoder().encode(text);
    assert(scrubErrors(bytes, scrub) === bytes, text);
  }
});
