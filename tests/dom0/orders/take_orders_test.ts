// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { type OrderFolder, takeOrders } from "../../../dom0/orders/take_orders.ts";
import { namesIn, until, withFolder } from "../fixture.ts";

/** 32 hex digits. */
function nameOf(n: number): string {
  return n.toString(16).padStart(32, "0");
}

async function put(folder: string, n: number, text: string): Promise<void> {
  await Deno.writeTextFile(`${folder}/.${n}`, text, { mode: 0o600 });
  await Deno.rename(`${folder}/.${n}`, `${folder}/${nameOf(n)}.order`);
}

/** Orders taken in a folder, until the run is over. */
async function taking(
  wishes: Pick<OrderFolder, "mostAtOnce" | "answer">,
  run: (folder: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (place) => {
    const folder = `${place}/orders`;
    const end = takeOrders({ folder, maxOrderBytes: 1000, ...wishes });
    try {
      await run(folder);
    } finally {
      end();
    }
  });
}

Deno.test("takeOrders(): side by side, and never more than it may", async () => {
  const waiting: (() => void)[] = [];
  const answer = async (text: string): Promise<object> => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return { text };
  };
  await taking({ mostAtOnce: 3, answer }, async (folder) => {
    for (let n = 0; n < 5; n++) await put(folder, n, `order ${n}`);
    await until("three are being done", () => waiting.length === 3);
    assertEquals(namesIn(folder).filter((name) => name.endsWith(".order")).length, 2);
    waiting.shift()?.();
    await until("the next one is taken", () => waiting.length === 3);
    await until("all are answered", () => {
      waiting.shift()?.();
      return namesIn(folder).filter((name) => name.endsWith(".answer")).length === 5;
    });
    for (let n = 0; n < 5; n++) {
      const answered = await Deno.readTextFile(`${folder}/${nameOf(n)}.answer`);
      assertEquals(JSON.parse(answered), { text: `order ${n}` });
    }
  });
});

Deno.test("takeOrders(): what cannot be read or removed does not hold up the others", async () => {
  const answer = (text: string): Promise<object> => Promise.resolve({ text });
  await taking({ mostAtOnce: 1, answer }, async (folder) => {
    await Deno.mkdir(`${folder}/folder/inside`, { recursive: true });
    await Deno.rename(`${folder}/folder`, `${folder}/${nameOf(0)}.order`);
    await Deno.symlink("/nonexistent", `${folder}/${nameOf(1)}.order`);
    for (let n = 2; n < 6; n++) {
      await put(folder, n, "it");
      await until("it is answered", () => namesIn(folder).includes(`${nameOf(n)}.answer`));
    }
  });
});

Deno.test("takeOrders(): nothing is taken after the end", async () => {
  const done: string[] = [];
  await withFolder(async (place) => {
    const folder = `${place}/orders`;
    const held = Promise.withResolvers<void>();
    const end = takeOrders({
      folder,
      maxOrderBytes: 1000,
      mostAtOnce: 1,
      async answer(text) {
        done.push(text);
        await held.promise;
        return {};
      },
    });
    await put(folder, 0, "first");
    await until("it is being done", () => done.length === 1);
    await put(folder, 1, "second");
    end();
    held.resolve();
    await until("the first is answered", () => namesIn(folder).includes(`${nameOf(0)}.answer`));
    assertEquals(done, ["first"]);
    assertEquals(namesIn(folder).includes(`${nameOf(1)}.order`), true);
  });
});
