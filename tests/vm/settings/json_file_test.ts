// SPDX-License-Identifier: GPL-2.0-or-later
/** A file that is no JSON: where the mistake is, and nothing of what stands there. */

import { assert, assertStringIncludes, assertThrows } from "@std/assert";
import { UserError } from "../../../shared/cli/program.ts";
import { parseJson } from "../../../vm/settings/json_file.ts";

const WRONG: readonly (readonly [text: string, says: string])[] = [
  ["", "x.json is empty"],
  [" \n\n", "x.json is empty"],
  ['{\n  "providers": {\n    "o": {\n      "apiKey": sk-secret,\n      "kind": 1', "see line 4"],
  ['{"apiKey": sk-secret}', "x.json is not JSON"],
  ['{\n  "a": 1,\n}\n', "x.json is not JSON: see line 3"],
  ['{\n  "a": {\n    "key": "sk-secret"\n\n', "x.json is not JSON: it ends at line 3, too early"],
];

for (const [text, says] of WRONG) {
  Deno.test(`no JSON: ${JSON.stringify(text)}`, () => {
    const error = assertThrows(() => parseJson("x.json", text), UserError);
    assertStringIncludes(error.message, says);
    assert(!(error.message + error.hints.join()).includes("secret"), error.message);
  });
}
