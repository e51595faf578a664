// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { createGrants, type Granted } from "../../../dom0/approval/grants.ts";
import { LAB, stoppedClock, WORK } from "../fixture.ts";

const ASKED: Granted = { vm: WORK, operation: "vm.start", targets: ["lab"], ran: "a" };
const TERMS = { anyValues: false, forMs: 60_000, by: "ann" };

Deno.test("grants: exactly the same again, or the same with other values", () => {
  const grants = createGrants(stoppedClock());
  assertEquals(grants.find(ASKED), null);
  const { number } = grants.add(ASKED, TERMS);
  assertEquals(grants.find(ASKED)?.number, number);
  const others: readonly Granted[] = [
    { ...ASKED, ran: "b" },
    { ...ASKED, operation: "vm.kill" },
    { ...ASKED, targets: ["lab", "work"] },
    { ...ASKED, targets: ["vault"] },
    { ...ASKED, targets: [] },
    { ...ASKED, vm: LAB },
  ];
  assertEquals(others.map((asked) => grants.find(asked)), others.map(() => null));
  grants.add(ASKED, { ...TERMS, anyValues: true });
  assertEquals(others.map((asked) => grants.find(asked)?.number), [
    ...[2, undefined, undefined, undefined, undefined, undefined],
  ]);
});

for (
  const [what, pass] of [
    ["its time is over", (clock) => clock.advance(60_000)],
    ["the clock of dates has passed it, while the machine slept", (clock) => clock.step(60_000)],
    ["that much time has passed, and the clock was set back", (clock) => {
      clock.step(-3600_000);
      clock.advance(60_000);
    }],
  ] satisfies [string, (clock: ReturnType<typeof stoppedClock>) => void][]
) {
  Deno.test(`grants: one ends when ${what}`, () => {
    const clock = stoppedClock();
    const grants = createGrants(clock);
    grants.add(ASKED, TERMS);
    pass(clock);
    assertEquals([grants.find(ASKED), grants.list()], [null, []]);
  });
}

Deno.test("grants: revoked by number, by VM, all; a number is never given again", () => {
  const grants = createGrants(stoppedClock());
  for (const vm of [WORK, LAB, WORK]) grants.add({ ...ASKED, vm }, TERMS);
  const numbers = (): number[] => grants.list().map(({ number }) => number);
  assertEquals([grants.revoke(1)?.number, grants.revoke(1)], [1, null]);
  grants.end(LAB);
  assertEquals(numbers(), [3]);
  assertEquals(grants.add(ASKED, TERMS).number, 4);
  grants.end();
  assertEquals(numbers(), []);
});
