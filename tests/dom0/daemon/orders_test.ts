// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Answer } from "../../../dom0/approval/parking.ts";
import { takeOperatorOrders } from "../../../dom0/daemon/orders.ts";
import type { Order } from "../../../dom0/operator/order_form.ts";
import { modeOf, namesIn, until, withFolder } from "../fixture.ts";

const NAME = "0123456789abcdef".repeat(2);
const DENY: Order = {
  order: "deny",
  by: { user: "ann", via: "a test" },
  what: { vm: "work", id: "1", hash: "h", reason: null },
};

interface Scene {
  readonly folder: string;
  readonly done: Order[];
  /** Puts an order there, as an operator's program does. */
  give(text: string, name?: string): Promise<void>;
  answer(name?: string): Promise<Answer>;
}

function ordersTest(
  name: string,
  run: (scene: Scene) => Promise<void>,
  doOrder: (order: Order) => Promise<Answer> = () => Promise.resolve({ ok: true, text: "done" }),
): void {
  Deno.test(`orders: ${name}`, () =>
    withFolder(async (place) => {
      const folder = `${place}/orders`;
      await Deno.mkdir(folder);
      await Deno.writeTextFile(`${folder}/${"f".repeat(32)}.order`, JSON.stringify(DENY));
      const done: Order[] = [];
      const end = takeOperatorOrders(folder, (order) => {
        done.push(order);
        return doOrder(order);
      });
      try {
        await run({
          ...{ folder, done },
          async give(text, name = NAME) {
            await Deno.writeTextFile(`${folder}/.${name}`, text, { mode: 0o600 });
            await Deno.rename(`${folder}/.${name}`, `${folder}/${name}.order`);
          },
          async answer(name = NAME) {
            await until("it is answered", () => namesIn(folder).includes(`${name}.answer`));
            return JSON.parse(await Deno.readTextFile(`${folder}/${name}.answer`));
          },
        });
      } finally {
        end();
      }
    }));
}

ordersTest(
  "what lay there before the daemon is not done",
  async ({ folder, done, give, answer }) => {
    assertEquals([namesIn(folder), modeOf(folder)], [[], 0o700]);
    await give(JSON.stringify(DENY));
    assertEquals(await answer(), { ok: true, text: "done" });
    assertEquals(done, [DENY]);
    assertEquals(namesIn(folder), [`${NAME}.answer`]);
  },
);

const WRONG: readonly (readonly [what: string, text: string])[] = [
  ["no JSON", "approve it"],
  ["no object", "7"],
  ["an unknown order", JSON.stringify({ ...DENY, order: "obey" })],
  ["nobody's", JSON.stringify({ ...DENY, by: {} })],
  ["no hash", JSON.stringify({ ...DENY, what: { vm: "work", id: "1", hash: "", reason: null } })],
  ["a reason of two lines", JSON.stringify({ ...DENY, what: { ...DENY.what, reason: "a\nb" } })],
  [
    "a grant for a week",
    JSON.stringify({ ...DENY, order: "approve", what: { ...DENY.what, forSeconds: 604_800 } }),
  ],
  ["half a grant's number", JSON.stringify({ ...DENY, order: "revoke-grant", grant: 1.5 })],
];
for (const [what, text] of WRONG) {
  ordersTest(`${what} is no order, and is answered so`, async ({ done, give, answer }) => {
    await give(text);
    const { ok, text: said } = await answer();
    assert(!ok);
    assertStringIncludes(said, "it is no order");
    assertEquals(done, []);
  });
}

ordersTest(
  "links, folders, other names and large files are not read",
  async ({ folder, done, give, answer }) => {
    await Deno.writeTextFile(`${folder}/elsewhere`, JSON.stringify(DENY));
    await Deno.symlink(`${folder}/elsewhere`, `${folder}/${"a".repeat(32)}.order`);
    await give(JSON.stringify(DENY) + " ".repeat(20_000), "b".repeat(32));
    await Deno.writeTextFile(`${folder}/short.order`, JSON.stringify(DENY));
    await give(JSON.stringify(DENY));
    await answer();
    assertEquals(done.length, 1);
  },
);

ordersTest(
  "one that fails is answered, and the next one is done",
  async ({ give, answer }) => {
    await give(JSON.stringify(DENY));
    assertEquals(await answer(), { ok: false, text: "failed: no disk" });
    const other = "c".repeat(32);
    await give(JSON.stringify({ ...DENY, order: "revoke-grant", grant: 1 }), other);
    assertEquals(await answer(other), { ok: true, text: "" });
  },
  (order) =>
    order.order === "deny"
      ? Promise.reject(new Error("no disk"))
      : Promise.resolve({ ok: true, text: "" }),
);

ordersTest("many at once are done one after another, each once", async ({ done, give, answer }) => {
  const names = Array.from({ length: 20 }, (_, n) => n.toString(16).padStart(32, "0"));
  await Promise.all(names.map((name) => give(JSON.stringify(DENY), name)));
  for (const name of names) await answer(name);
  assertEquals(done.length, names.length);
}, async () => {
  running++;
  assertEquals(running, 1);
  await new Promise((resolve) => setTimeout(resolve, 1));
  running--;
  return { ok: true, text: "" };
});
let running = 0;
