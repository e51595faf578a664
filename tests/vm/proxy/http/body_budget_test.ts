// SPDX-License-Identifier: GPL-2.0-or-later
/** Room for the bodies of requests: in all, for each client, and given back. */

import { assertEquals } from "@std/assert";
import { budgetBytes, createBodyBudget } from "../../../../vm/proxy/http/body_budget.ts";

const MIB = 1024 * 1024;

Deno.test("bodies have a part of what the unit allows", () => {
  assertEquals(budgetBytes(512), 192 * MIB);
  assertEquals(budgetBytes(null), budgetBytes(512));
  assertEquals(createBodyBudget(budgetBytes(512)).open("a", true).maxRequestBytes, 64 * MIB);
  assertEquals(createBodyBudget(budgetBytes(128)).open("a", true).maxRequestBytes, 24 * MIB);
});

Deno.test("one client of several has half of the room, the only one all of it", () => {
  const budget = createBodyBudget(100);
  const [a1, a2, b] = [budget.open("a", false), budget.open("a", false), budget.open("b", false)];
  assertEquals([a1.take(40), a2.take(11), a2.take(10)], [true, false, true]);
  assertEquals(b.take(50), true);
  assertEquals(budget.open("c", false).take(1), false);
  assertEquals(budget.usedBytes(), 100);
  a1.release();
  a1.release();
  assertEquals(budget.usedBytes(), 60);
  assertEquals(budget.open("a", false).take(40), true);
  assertEquals(createBodyBudget(100).open("anyone", true).take(100), true);
});

for (const unit of ["qubes-openclaw-proxy.service", "user/openclaw-proxy.service"]) {
  Deno.test(`${unit} tells the proxy what memory it may use`, async () => {
    const file = new URL(`../../../../vm/systemd/${unit}`, import.meta.url);
    const text = await Deno.readTextFile(file);
    const mib = /^MemoryMax=(\d+)M$/m.exec(text)?.[1] ?? "no limit";
    assertEquals(/^Environment=OPENCLAW_PROXY_MEMORY_MIB=(.*)$/m.exec(text)?.[1], mib);
  });
}
