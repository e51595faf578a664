// SPDX-License-Identifier: GPL-2.0-or-later
/** The books over restarts, and while nothing can be written. @module */

import { DatabaseSync } from "node:sqlite";
import { assertEquals } from "@std/assert";
import { openLedger } from "../../../../vm/proxy/books/ledger.ts";

const DAY = "2026-11-22";

Deno.test("what is booked holds over a restart, and what cannot be written counts", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/use.sqlite`;
  const errors: string[] = [];
  try {
    const first = openLedger(path, (text) => errors.push(text));
    first.book("a", DAY, { tokens: 10, spend: 0.5 }, "openai/x");
    first.book("a", DAY, { tokens: 5, spend: 0.25 }, null);
    first.book("b", DAY, { tokens: 1, spend: 0 }, null);
    assertEquals(first.day("a", DAY), { tokens: 15, spend: 0.75 });
    first.close();

    const second = openLedger(path, (text) => errors.push(text));
    assertEquals(second.month("a", "2026-11"), { tokens: 15, spend: 0.75 });
    assertEquals(errors, []);
    const other = new DatabaseSync(path);
    other.exec("CREATE TRIGGER full BEFORE INSERT ON use BEGIN SELECT RAISE(ABORT, 'full'); END");
    second.book("a", DAY, { tokens: 100, spend: 1 }, null);
    assertEquals(second.day("a", DAY), { tokens: 115, spend: 1.75 });
    assertEquals(errors.length > 0, true);
    other.exec("DROP TRIGGER full");
    other.close();
    second.close(); // writes it after all

    const third = openLedger(path, (text) => errors.push(text));
    assertEquals(third.day("a", DAY), { tokens: 115, spend: 1.75 });
    third.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
