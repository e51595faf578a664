// SPDX-License-Identifier: GPL-2.0-or-later
/** Whatever stands in a value: it stays in the place of the template where it was put. */

import { assertEquals, assertThrows } from "@std/assert";
import { htmlText, markup } from "../../../../dom0/admin/markup/markup.ts";

const HOSTILE = `"> <b>\u202e\x1b[2J`;
const QUOTED = "&quot;&gt; &lt;b&gt;";

Deno.test("a value in quotes stays in them, in a template that is attributes alone, too", () => {
  const inTag = htmlText(markup`<tr data-key="${HOSTILE}">`);
  assertEquals(inTag.startsWith(`<tr data-key="${QUOTED}`), true, inTag);
  const alone = htmlText(markup` data-key="${HOSTILE}" title="${HOSTILE}"`);
  for (const text of [inTag, alone]) assertEquals(/[<]span/.test(text), false, text);
  assertEquals(alone.split('"').length, 5, alone);
  const inText = htmlText(markup`He says x="${HOSTILE}"`);
  assertEquals(inText.includes('<span class="ctl">'), true, "text is no attribute");
});

Deno.test("in attributes alone, an address is one of this server, and no value is a script", () => {
  const [address, script] = ["javascript:alert(1)", "x"];
  assertThrows(() => markup` href="${address}"`, Error, "a foreign address");
  assertThrows(() => markup` onclick="${script}"`, Error, "a value in onclick");
});
