// SPDX-License-Identifier: GPL-2.0-or-later
/** While nothing new is begun, requests wait where they came in, and none is lost. @module */

import { assertEquals } from "@std/assert";
import { createAdmission } from "../../../dom0/judge/admission.ts";
import { until } from "../fixture.ts";
import { deskTest, jobOf, script, send, turn, withWorld } from "./desk_world.ts";
import { createSeat } from "./seat.ts";

Deno.test("admission: closed as long as anyone keeps it closed; whoever waits goes on then", async () => {
  const admission = createAdmission();
  assertEquals(admission.closed(), null);
  const [first, second] = [admission.close(), admission.close()];
  let goesOn = false;
  void admission.closed()?.then(() => goesOn = true);
  first();
  first(); // says nothing new
  await turn();
  assertEquals([goesOn, admission.closed() === null], [false, false]);
  second();
  await turn();
  assertEquals([goesOn, admission.closed() === null], [true, true]);
});

deskTest(
  "closed: nothing new begins, what is held is joined; opened: all in their order",
  () =>
    withWorld({}, async (world) => {
      const { desk, admission, events } = world;
      const held = await script("exit 7", 1);
      const job = jobOf(await send(world, held));
      await until("the first has ended", () => job.outcome() !== null);
      const open = admission.close();
      const later = [2, 3].map(async (n) => await send(world, await script(`exit ${n}`, n)));
      await send(world, held); // it does not wait
      await turn();
      assertEquals(desk.jobs().length, 1);
      assertEquals(events().filter((event) => event === "accepted").length, 1);
      open();
      const begun = (await Promise.all(later)).map(jobOf);
      await until("they have ended", () => begun.every((one) => one.outcome() !== null));
      assertEquals(begun.map((one) => one.outcome()?.exitCode), [2, 3]);
    }),
);

deskTest(
  "closed when its session ends: nothing of it is kept, and sent again it runs once",
  () =>
    withWorld({}, async (world) => {
      const { desk, ledger, admission } = world;
      const open = admission.close();
      const event = await script("exit 5");
      const seat = createSeat();
      const waiting = send(world, event, { seat });
      await turn();
      seat.close();
      open();
      assertEquals((await waiting).verdict, { observed: true });
      assertEquals([desk.jobs().length, ledger.size()], [0, 0]);
      const job = jobOf(await send(world, event));
      await until("it has ended", () => job.outcome() !== null);
      assertEquals([job.outcome()?.exitCode, ledger.size()], [5, 1]);
    }),
);
