// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { makeRequestId, type RequestId } from "../../../shared/protocol/request_id.ts";
import { createNameList } from "../../../vm/remote/name_list.ts";

const id = (number: number): RequestId => makeRequestId(1_790_000_000_000, 7, number);

Deno.test("createNameList() gives each name once, smallest first, whatever the order", () => {
  const names = createNameList();
  for (const number of [5, 1, 9, 1, 5, 3]) names.add(id(number));
  assertEquals(names.size(), 4);
  assertEquals([names.take(), names.take()], [id(1), id(3)]);
  names.add(id(2));
  assertEquals([names.take(), names.take(), names.take()], [id(2), id(5), id(9)]);
  assertEquals(names.take(), undefined);
});

Deno.test("createNameList() holds no more than its limit and says that it left some out", () => {
  const names = createNameList(3);
  for (const number of [1, 2, 3]) names.add(id(number));
  assertEquals(names.incomplete(), false);
  names.add(id(4));
  assertEquals([names.size(), names.incomplete()], [3, true]);
  names.restart();
  assertEquals(names.incomplete(), false);
});
