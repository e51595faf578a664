// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { listHistory } from "../../../../vm/remote/client/history.ts";
import { vmTest } from "../fixture.ts";

vmTest(
  "listHistory(): of one second, what ended last comes first, whatever the ids",
  async (vm) => {
    const day = `${vm.layout.history}/2026-11-28`;
    const ids = [
      "195555-10-aaaaaaaa",
      "195555-9-00000000",
      "195555-10-cccccccc",
      "195554-99-ffffffff",
    ]
      .map((end) => `20261128-${end}`);
    for (const [index, id] of ids.entries()) {
      await Deno.mkdir(`${day}/${id}`, { recursive: true });
      await Deno.writeTextFile(`${day}/${id}/exit`, "0");
      await Deno.utime(`${day}/${id}`, 1000 + index, 1000 + index);
    }
    const [a = "", b = "", c = "", before = ""] = ids;
    assertEquals((await listHistory(vm.layout, 9)).map(({ id }) => String(id)), [c, b, a, before]);
  },
);
