// SPDX-License-Identifier: GPL-2.0-or-later
/** The books, read while the proxy writes them, after it has ended, and from an older one. @module */

import { DatabaseSync } from "node:sqlite"; // to write what an older proxy wrote
import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../../../shared/cli/program.ts";
import { openLedger } from "../../../../vm/proxy/books/ledger.ts";
import { readUse } from "../../../../vm/proxy/books/ledger_read.ts";

const DAY = "2026-11-22";
const row = (client: string, target: string | null, requests: number, tokens: number) => ({
  ...{ day: DAY, client, target, requests, tokens, spend: tokens / 1000 },
});

Deno.test("use by client, model and day; what has no model is there, too", async () => {
  await using folder = await tempFolder();
  const path = `${folder.path}/use.sqlite`;
  const ledger = openLedger(path, (text) => {
    throw new Error(text);
  });
  const use = (tokens: number) => ({ tokens, spend: tokens / 1000 });
  ledger.book("work", DAY, use(10), "openai/gpt-5");
  ledger.book("work", DAY, use(5), "openai/gpt-5");
  ledger.book("work", DAY, use(7), "local/llama");
  ledger.book("work", DAY, use(1), null);
  ledger.book("other", DAY, use(2), "local/llama");
  ledger.book("work", "2026-10-01", use(9), "local/llama");
  ledger.day("work", DAY); // has everything written
  const wanted = [
    ...[row("other", "local/llama", 1, 2), row("work", "local/llama", 1, 7)],
    ...[row("work", "openai/gpt-5", 2, 15), row("work", null, 1, 1)],
  ];
  assertEquals(readUse(path, "2026-11-01"), wanted);
  ledger.close();
  assertEquals(readUse(path, "2026-11-01"), wanted);
  assertEquals(readUse(path, "2026-09-01").length, 5);
});

Deno.test("the books of an older proxy know no models", async () => {
  await using folder = await tempFolder();
  const path = `${folder.path}/use.sqlite`;
  const db = new DatabaseSync(path);
  db.exec(
    "CREATE TABLE use (client TEXT, day TEXT, requests INTEGER, tokens INTEGER, spend_micro INTEGER)",
  );
  db.exec(`INSERT INTO use VALUES ('anyone', '${DAY}', 3, 4, 4000)`);
  db.close();
  assertEquals(readUse(path, DAY), [row("anyone", null, 3, 4)]);
});

Deno.test("what is no database is an error for people", async () => {
  await using folder = await tempFolder();
  await Deno.writeTextFile(`${folder.path}/x`, "no database at all, but a text of some length\n");
  assertThrows(() => readUse(`${folder.path}/x`, DAY), UserError, "cannot read the record of use");
  assertThrows(() => readUse(`${folder.path}/none`, DAY), UserError, "cannot read");
});

async function tempFolder() {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
