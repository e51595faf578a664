// SPDX-License-Identifier: GPL-2.0-or-later
/** Pages of the record: filtered, newest first, and each end with what was asked. */

import { assertEquals } from "@std/assert";
import { readRecordPage } from "../../../dom0/admin_orders/record_pages.ts";
import { withFolder } from "../fixture.ts";

const ALL = { vm: null, failedOnly: false, text: "", sinceMs: 0, before: null, limit: 100 };

/** An accepted request and its end, for each operation. */
function recordOf(operations: readonly string[]): string {
  return operations.flatMap((operation, index) => {
    const of = { vm: "work", id: `r${index}`, time: new Date(index * 1000).toISOString() };
    return [
      { seq: 2 * index, event: "accepted", ...of, operation, command: `run ${operation}` },
      { seq: 2 * index + 1, event: "done", ...of, exit: index % 2 },
    ];
  }).map((record) => `${JSON.stringify({ ...record, prev: "", hash: "" })}\n`).join("");
}

interface Page {
  readonly records: readonly { readonly seq: number; readonly asked?: string }[];
  readonly hasMore: boolean;
}

function pagesTest(name: string, operations: readonly string[], run: (of: Of) => Promise<void>) {
  Deno.test(name, () =>
    withFolder(async (folder) => {
      const file = `${folder}/audit.jsonl`;
      await Deno.writeTextFile(file, recordOf(operations));
      await run(async (query) =>
        await readRecordPage(file, { ...ALL, ...query }) as unknown as Page
      );
    }));
}

type Of = (query: Partial<typeof ALL>) => Promise<Page>;

pagesTest("an end says what was asked, though that record is not on the page", [
  ...["vm.start", "vm.kill", "vm.list", "vm.pause"],
], async (of) => {
  const failed = await of({ failedOnly: true });
  assertEquals(failed.records.map(({ seq, asked }) => [seq, asked]), [[7, "vm.pause"], [
    3,
    "vm.kill",
  ]]);
  assertEquals(failed.hasMore, false);
  const one = await of({ limit: 1 });
  assertEquals(one.records.map(({ seq, asked }) => [seq, asked]), [[7, "vm.pause"]]);
  assertEquals(one.hasMore, true);
  assertEquals((await of({ text: "kill" })).records.map(({ seq }) => seq), [2]);
});

pagesTest("what was asked long before is not looked for without end", [
  "vm.start",
  ...Array<string>(600).fill("vm.list"),
], async (of) => {
  const { records, hasMore } = await of({ limit: 2 });
  assertEquals(records.map(({ seq, asked }) => [seq, asked]), [[1201, "vm.list"], [
    1200,
    undefined,
  ]]);
  assertEquals(hasMore, true);
  const all = await of({ limit: 10_000 });
  assertEquals(all.records.length, 1202);
  assertEquals(all.records.at(-2)?.asked, "vm.start");
});
