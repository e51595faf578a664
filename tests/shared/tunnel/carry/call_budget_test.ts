// SPDX-License-Identifier: GPL-2.0-or-later
/** Places for calls of their own, shared by tunnels that know of each other only by files. */

import { assert, assertEquals } from "@std/assert";
import {
  type CallBudget,
  callLimit,
  createCallBudget,
  uncountedBudget,
} from "../../../../shared/tunnel/carry/call_budget.ts";
import { LOCK_FILE, openTunnelFolder } from "../../../../shared/tunnel/state_file.ts";
import { handClock } from "../fixture.ts";

Deno.test("the limit is a share of what the kernel lets this machine share", () => {
  assertEquals(callLimit(1024), 12, "the kernel's default: 31 calls in all");
  assertEquals(callLimit(2048), 24);
  assertEquals(callLimit(1_000_000), 24, "no VM carries more");
  assertEquals([callLimit(100), callLimit(33), callLimit(0)], [1, 1, 1]);
});

interface Tunnel extends AsyncDisposable {
  readonly calls: CallBudget;
  /** As if it had been killed: its number stays. */
  die(): void;
}

async function tunnel(runFolder: string, name: string, clock = handClock()): Promise<Tunnel> {
  const folder = await openTunnelFolder(`${runFolder}/${name}`);
  assert(folder !== null);
  const calls = createCallBudget({
    ...{ runFolder, ownFolder: name, lockFile: LOCK_FILE, limit: 5, clock },
  });
  let isDead = false;
  return {
    calls,
    die() {
      isDead = true;
      folder.close();
      Deno.writeTextFileSync(`${runFolder}/${name}/${LOCK_FILE}`, "");
    },
    async [Symbol.asyncDispose]() {
      if (isDead) return;
      await calls.close();
      await folder.close();
    },
  };
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const took = async (calls: CallBudget, count: number): Promise<number> => {
  const taken = await Promise.all(Array.from({ length: count }, () => calls.take()));
  return taken.filter((isTaken) => isTaken).length;
};

Deno.test("tunnels that ask at once get no more than the limit between them", () =>
  inFolder(async (folder) => {
    const tunnels = await Promise.all(["a", "b", "c"].map((name) => tunnel(folder, name)));
    const counts = await Promise.all(tunnels.map(({ calls }) => took(calls, 4)));
    assertEquals(counts.reduce((sum, count) => sum + count, 0), 5, `${counts}`);
    for (const one of tunnels) await one[Symbol.asyncDispose]();
    await using again = await tunnel(folder, "d");
    assertEquals(await took(again.calls, 9), 5, "those that ended gave all back");
  }));

Deno.test("what is given back stays set aside for a moment, then others have it", () =>
  inFolder(async (folder) => {
    const clock = handClock();
    await using one = await tunnel(folder, "one", clock);
    await using two = await tunnel(folder, "two");
    assertEquals(await took(one.calls, 5), 5);
    for (let i = 0; i < 3; i++) one.calls.give();
    assertEquals(await took(one.calls, 1), 1, "without asking anybody");
    clock.advance(250);
    assertEquals(await took(one.calls, 0), 0);
    assert(await one.calls.take(), "in turn behind the lowering");
    assertEquals(await took(two.calls, 3), 1);
    assertEquals(clock.timers(), 0);
  }));

Deno.test("a tunnel that was killed takes no place for long", {
  ignore: !("tryLock" in Deno.FsFile.prototype), // before 2.5 nobody can look whether it lives
}, () =>
  inFolder(async (folder) => {
    const killed = await tunnel(folder, "killed");
    assertEquals(await took(killed.calls, 5), 5);
    const clock = handClock();
    await using other = await tunnel(folder, "other", clock);
    assertEquals(await took(other.calls, 1), 0);
    killed.die();
    assertEquals(await took(other.calls, 1), 0, "nobody looks for the dead at each connection");
    clock.advance(10_000);
    assertEquals(await took(other.calls, 9), 5);
  }));

Deno.test("a tunnel that nobody can count takes few", async () => {
  const calls = uncountedBudget();
  assertEquals(await took(calls, 9), 4);
  calls.give();
  assertEquals(await took(calls, 9), 1);
});
