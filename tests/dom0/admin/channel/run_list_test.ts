// SPDX-License-Identifier: GPL-2.0-or-later
/** The list of runs, from the files that the daemon writes. */

import { assertEquals } from "@std/assert";
import { listRuns } from "../../../../dom0/admin/channel/run_list.ts";
import { createRunFiles } from "../../../../dom0/admin_orders/run_output.ts";
import { utf8 } from "../../../../shared/protocol/bytes.ts";
import { withFolder } from "../../fixture.ts";

const id = (n: number): string => `20261128-14314${n}-1-0000000${n}`;
const head = (n: number) => ({
  ...{ id: id(n), by: "web s-1", operation: "vm.start", values: { vm: "work" }, begunMs: n },
});

Deno.test("runs are listed newest first, with how each ended, however much each printed", () =>
  withFolder(async (folder) => {
    const files = createRunFiles(`${folder}/runs`);
    const [one, two, three] = [1, 2, 3].map((n) => files.begin(head(n)));
    one?.print(1, utf8("x".repeat(200_000)));
    one?.end({ kind: "done", exitCode: 3, value: null, endedMs: 11 });
    two?.print(1, utf8("as it goes\n"));
    three?.end({ kind: "done", exitCode: 0, value: "y".repeat(100_000), endedMs: 13 });
    await Deno.writeTextFile(`${folder}/runs/other.jsonl`, "no run\n");
    await Deno.writeTextFile(`${folder}/runs/${id(4)}.jsonl`, '{"id":"half');
    const runs = await listRuns(`${folder}/runs`);
    assertEquals(runs.map(({ head }) => head.id), [id(3), id(2), id(1)]);
    assertEquals(runs.map(({ end }) => [end?.endedMs, end?.kind, end?.exitCode]), [
      [13, undefined, undefined],
      [undefined, undefined, undefined],
      [11, "done", 3],
    ]);
    assertEquals(runs[1]?.end, null);
    assertEquals(await listRuns(`${folder}/none`), []);
  }));
