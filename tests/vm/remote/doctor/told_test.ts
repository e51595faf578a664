// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import type { Access, Decision } from "../../../../vm/remote/client/access.ts";
import { parseAbout, policyFinding } from "../../../../vm/remote/doctor/told.ts";

const LEVELS = { monitor: ["vm.list", "vm.info"], manage: ["vm.start"], full: ["shell"] } as const;

function access(decide: (name: string, level: string) => Decision): Access {
  return new Map(
    Object.entries(LEVELS).flatMap(([level, names]) =>
      names.map((name) => [name, {
        ...{ name, level, summary: "", destructive: false, decision: decide(name, level) },
        parameters: { properties: {}, required: [] },
      }])
    ),
  );
}

Deno.test("a policy in a few words", () => {
  const cases: readonly (readonly [decide: (name: string, level: string) => Decision, string])[] = [
    [() => "allow", "may do everything"],
    [() => "deny", "may do nothing"],
    [() => "ask", "asks for read, change, run anything"],
    [(_, level) => level === "monitor" ? "allow" : "ask", "may read; asks for the rest"],
    [(_, level) => level === "monitor" ? "allow" : "deny", "may read; no more"],
    [(_, level) => level === "full" ? "ask" : "allow", "may read, change; asks for the rest"],
    [(name) => name === "vm.list" ? "allow" : "deny", "may read (1 of 2 operations); no more"],
    [
      (name) => name === "vm.list" ? "ask" : "deny",
      "asks for read (1 of 2 operations); no more",
    ],
  ];
  for (const [decide, text] of cases) assertEquals(policyFinding(access(decide)).text, text);
  assertEquals(policyFinding(access(() => "deny")).state, "bad");
});

Deno.test("what dom0 says of itself is a version and a time, or nothing", () => {
  const time = "2026-11-22T09:15:00.200Z";
  assertEquals(parseAbout({ version: "2.0.0", time }), {
    version: "2.0.0",
    timeMs: Date.parse(time),
  });
  for (
    const value of [null, 7, [], {}, { version: "2" }, { time }, { version: "2\u202e", time }, {
      version: "2",
      time: "x",
    }]
  ) assertEquals(parseAbout(value), null);
});
