// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertRejects } from "@std/assert";
import {
  createOrderGiver,
  type OrderGiver,
  type OrderLimits,
} from "../../../dom0/orders/give_order.ts";
import { takeOrders } from "../../../dom0/orders/take_orders.ts";
import { namesIn, until, withFolder } from "../fixture.ts";

const PATIENT: OrderLimits = { takenMs: 60_000, answeredMs: 60_000, maxAnswerBytes: 1000 };
const HASTY: OrderLimits = { ...PATIENT, takenMs: 5, answeredMs: 10 };

function giverTest(
  name: string,
  run: (giver: OrderGiver, folder: string) => Promise<void>,
): void {
  Deno.test(`giving an order: ${name}`, () =>
    withFolder(async (place) => {
      const giver = createOrderGiver(`${place}/orders`);
      try {
        await run(giver, `${place}/orders`);
      } finally {
        giver.close();
      }
    }));
}

/** The daemon's side, until the run is over. */
async function answered(
  folder: string,
  answer: (text: string) => Promise<object>,
  run: () => Promise<void>,
): Promise<void> {
  const end = takeOrders({ folder, maxOrderBytes: 1000, mostAtOnce: 2, answer });
  try {
    await run();
  } finally {
    end();
  }
}

giverTest("it is answered, and nothing of it stays", async (giver, folder) => {
  await answered(folder, (text) => Promise.resolve({ said: JSON.parse(text) }), async () => {
    const orders = [{ order: "a" }, { order: "b" }, { order: "c" }];
    const given = await Promise.all(orders.map((order) => giver.give(order, PATIENT)));
    assertEquals(
      given,
      orders.map((said) => ({ outcome: "answered", text: `${JSON.stringify({ said })}\n` })),
    );
    assertEquals(namesIn(folder), []);
  });
});

giverTest("no folder, no daemon: it is not taken", async (giver) => {
  assertEquals(await giver.give({}, PATIENT), { outcome: "not taken" });
});

giverTest("nobody takes it: it is taken back, so that it is never done", async (giver, folder) => {
  await Deno.mkdir(folder);
  assertEquals(await giver.give({}, { ...PATIENT, takenMs: 5 }), { outcome: "not taken" });
  assertEquals(await giver.give({}, { ...PATIENT, answeredMs: 5 }), { outcome: "not taken" });
  assertEquals(namesIn(folder), []);
});

giverTest("taken, and not done in time: that is said", async (giver, folder) => {
  const held = Promise.withResolvers<object>();
  await answered(folder, () => held.promise, async () => {
    assertEquals(await giver.give({}, HASTY), { outcome: "late" });
    held.resolve({});
    await until("the late answer is there", () => namesIn(folder).length === 1);
  });
});

giverTest("the folder is made anew, as by a daemon that starts", async (giver, folder) => {
  await Deno.mkdir(folder);
  for (const text of ["{}", '{"second":1}']) {
    const given = giver.give({}, PATIENT);
    let order: string | undefined;
    await until("it is there", () => {
      order = namesIn(folder).find((name) => name.endsWith(".order"));
      return order !== undefined;
    });
    await Deno.remove(folder, { recursive: true });
    await Deno.mkdir(folder);
    await Deno.writeTextFile(`${folder}/${order?.replace("order", "answer")}`, text);
    assertEquals(await given, { outcome: "answered", text });
  }
});

giverTest("an answer larger than the cap is an error, and is removed", async (giver, folder) => {
  await answered(folder, () => Promise.resolve({ text: "x".repeat(2000) }), async () => {
    await assertRejects(() => giver.give({}, PATIENT), Error, "larger than 1000 bytes");
    assertEquals(namesIn(folder), []);
  });
});
