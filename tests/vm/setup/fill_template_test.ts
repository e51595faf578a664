// SPDX-License-Identifier: GPL-2.0-or-later
/** A template is filled as JSON: no value leaves its string, no placeholder stays. @module */

import { assertEquals, assertThrows } from "@std/assert";
import { filledTemplate, fillTemplate } from "../../../vm/setup/fill_template.ts";

Deno.test("strings, parts of strings, ports, lists", () => {
  const values = { HOME: "/home/user", PROXY_PORT: 32125, GATEWAY_PORT: 18789 };
  assertEquals(
    fillTemplate({
      ...{ port: "@GATEWAY_PORT@", url: "http://127.0.0.1:@PROXY_PORT@/v1", on: true, none: null },
      list: ["@HOME@/a", { deep: "@HOME@" }, 7, "user@example.org", "@home@"],
    }, values),
    {
      ...{ port: 18789, url: "http://127.0.0.1:32125/v1", on: true, none: null },
      list: ["/home/user/a", { deep: "/home/user" }, 7, "user@example.org", "@home@"],
    },
  );
});

Deno.test("a value cannot end its string, and is not filled itself", () => {
  const HOME = '/home/"},"x": "@HOOKS_TOKEN@$&';
  const text = filledTemplate('{"a": "@HOME@/b", "c": "@HOME@"}', { HOME, HOOKS_TOKEN: "t" });
  assertEquals(JSON.parse(text), { a: `${HOME}/b`, c: HOME });
});

Deno.test("a placeholder without a value, or of an unknown name, is an error that names it", () => {
  assertThrows(() => fillTemplate({ a: "@HOME@/x" }, {}), Error, "@HOME@");
  assertThrows(() => fillTemplate(["@HOOKS_TOKEN@"], { HOME: "/" }), Error, "@HOOKS_TOKEN@");
  assertThrows(() => fillTemplate({ a: "x@OTHER@" }, { HOME: "/" }), Error, "@OTHER@");
});
