// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { makeRequestId, type RequestId } from "../../../../shared/protocol/request_id.ts";
import { createNameList } from "../../../../vm/remote/queue/name_list.ts";

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

Deno.test("createNameList() compares few names at each step, however many wait", () => {
  const compared = { count: 0 };
  /** Strings that count how often they are compared. */
  const counted = (number: number): RequestId => {
    const text = id(number);
    return { [Symbol.toPrimitive]: () => (compared.count++, text) } as unknown as RequestId;
  };
  const names = createNameList();
  const many = 9_999;
  for (let number = 0; number < many; number++) names.add(counted(number));
  compared.count = 0;
  const steps = 1_000;
  for (let step = 0; step < steps; step++) {
    assertEquals(`${names.take()}`, `${id(step)}`);
    names.add(counted(many + step));
  }
  const most = steps * (2 * Math.ceil(Math.log2(many)) + 1); // two values each, and this test's own
  assert(compared.count <= most, `${compared.count} of ${most}`);
});
