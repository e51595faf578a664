// SPDX-License-Identifier: GPL-2.0-or-later
/** Cgroups are made and removed many at a time; on plain folders, which behave alike. */

import { assert, assertEquals } from "@std/assert";
import { createCgroupSupply, type TurnOver } from "../../../dom0/run/cgroup_supply.ts";
import { namesIn, until, withFolder } from "../fixture.ts";

interface Turn {
  readonly ended: readonly string[];
  readonly fresh: readonly string[];
}

/** A supply whose turns are noted; `answer` says what came of each. */
function noted(answer: (turn: Turn) => Promise<readonly string[]>) {
  const turns: Turn[] = [];
  const turnOver: TurnOver = (ended, fresh) => {
    const turn = { ended, fresh };
    turns.push(turn);
    return answer(turn);
  };
  const supply = createCgroupSupply("/c", turnOver);
  const turn = async (n: number): Promise<Turn | undefined> => {
    await until(`turn ${n}`, () => turns.length >= n);
    return turns[n - 1];
  };
  return { supply, turns, turn };
}

const nothingLeft = (): Promise<readonly string[]> => Promise.resolve([]);
const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, n) => `/c/${from + n}`);

Deno.test("cgroup supply: as many are ready as were taken, and none is given twice", async () => {
  const { supply, turn } = noted(nothingLeft);
  const taken = Array.from({ length: 6 }, supply.take);
  assertEquals(taken, numbers(1, 6)); // each to be made by who takes it
  for (const cgroup of taken) supply.giveBack(cgroup);
  assertEquals(await turn(1), { ended: taken, fresh: numbers(7, 12) });
  await until("they are ready", () => supply.take() === "/c/7");
  supply.giveBack("/c/7");
  // One was taken: the least stay ready, and what is more is removed, too.
  assertEquals(await turn(2), { ended: ["/c/7", "/c/12"], fresh: [] });
  assertEquals(Array.from({ length: 5 }, supply.take), [...numbers(8, 11), "/c/13"]);
  supply.close();
});

Deno.test("cgroup supply: what is still there has another turn", async () => {
  const { supply, turn } = noted(({ ended }) => Promise.resolve(ended.length > 1 ? ["/c/1"] : []));
  for (const cgroup of [supply.take(), supply.take()]) supply.giveBack(cgroup);
  assertEquals((await turn(1))?.ended, ["/c/1", "/c/2"]);
  assertEquals((await turn(2))?.ended, ["/c/1"]);
  supply.close();
});

Deno.test("cgroup supply: without a process for it nothing is ready, and it is tried again", async () => {
  let fails = true;
  const { supply, turn } = noted(() => fails ? Promise.reject(new Error("EAGAIN")) : nothingLeft());
  supply.giveBack(supply.take());
  const first = await turn(1);
  fails = false;
  const second = await turn(2);
  assertEquals([first?.ended, second?.ended], [["/c/1"], ["/c/1"]]);
  const names = [...first?.fresh ?? [], ...second?.fresh ?? []];
  assertEquals(new Set(names).size, names.length);
  await until("they are ready", () => second?.fresh.includes(supply.take()) === true);
  supply.close();
});

Deno.test("cgroup supply: after the end nothing is made or removed", () => {
  const { supply, turns } = noted(nothingLeft);
  supply.close();
  supply.giveBack(supply.take());
  supply.close(); // a timer that is left would fail the test
  assertEquals(turns, []);
});

Deno.test("cgroup supply: what a command made in its cgroup goes with it", () =>
  withFolder(async (folder) => {
    const supply = createCgroupSupply(folder);
    const [plain, nested, busy] = [supply.take(), supply.take(), supply.take()];
    for (const path of [plain, `${nested}/a/b`, busy]) Deno.mkdirSync(path, { recursive: true });
    Deno.writeTextFileSync(`${busy}/member`, ""); // as a process that is in it would
    for (const cgroup of [plain, nested, busy]) supply.giveBack(cgroup);
    await until("two are removed", () => namesIn(folder).toSorted().join(" ") === "3 4 5 6 7");
    Deno.removeSync(`${busy}/member`);
    await until("so is the third", () => !namesIn(folder).includes("3"));
    assert(namesIn(folder).includes(supply.take().slice(folder.length + 1)));
    supply.close();
  }));
