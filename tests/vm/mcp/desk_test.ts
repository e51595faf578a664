// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { parseWhy } from "../../../shared/protocol/why.ts";
import { claimOf, createDesk } from "../../../vm/mcp/desk.ts";
import type { KnownOperation } from "../../../vm/remote/client/access.ts";
import { layoutOf } from "../../../vm/remote/files/layout.ts";

Deno.test("a claim is a reason that a request may hold, whatever a client calls itself", () => {
  assertEquals(
    claimOf({ name: "Claude Code", version: "2.1" }, "a build"),
    "says it is Claude Code 2.1: a build",
  );
  assertEquals(claimOf({}, ""), "says it is an MCP client");
  const hostile = ["\n", "\u2028", "\u202e", "\ud800", "x".repeat(1000), "\u{1f600}".repeat(300)];
  for (const name of hostile) {
    for (const why of hostile) {
      const claim = claimOf({ name, version: name }, why);
      assertEquals(parseWhy(claim), claim);
      assert(claim.startsWith("says it is "));
    }
  }
});

Deno.test("a request may take as long as dom0 says of its operation", async () => {
  const one = (name: string, timeoutSeconds?: number): [string, KnownOperation] => [name, {
    ...{ name, level: "manage", summary: "", decision: "allow", destructive: false },
    ...timeoutSeconds === undefined ? {} : { timeoutSeconds },
    parameters: { properties: {}, required: [] },
  }];
  const known = new Map([one("vm.restart", 360), one("volume.revert", 3600), one("of.old")]);
  const asked: number[] = [];
  const said = () => Promise.resolve({ status: "done" } as const);
  let reads = 0;
  const desk = createDesk({
    layout: layoutOf("/nowhere"),
    jobs: {
      submit({ timeoutMs }) {
        asked.push(timeoutMs / 1000);
        return said();
      },
      ...{ wait: said, look: said, cancel: said },
    },
    access: {
      read() {
        reads++;
        return Promise.resolve(known);
      },
      last: () => reads === 0 ? null : known,
      isOld: () => false,
    },
    why: "",
    signal: new AbortController().signal,
  });
  for (const name of ["vm.restart", "volume.revert", "of.old", "not.known"]) {
    await desk.operation(name, []);
  }
  const step = (operation: string) => ({ operation });
  await desk.plan({ steps: [step("vm.restart"), step("volume.revert")] });
  await desk.plan({ steps: Array.from({ length: 100 }, () => step("volume.revert")) });
  assertEquals(asked, [360, 3600, 60, 60, 3960, 86_400]);
  assertEquals(reads, 1, "asked once");
});
