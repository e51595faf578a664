// SPDX-License-Identifier: GPL-2.0-or-later
/** On a folder that looks like a cgroup: what is asked, what is answered, what ends. @module */

import { assertEquals, assertRejects } from "@std/assert";
import { type CgroupKeeper, createCgroupKeeper } from "../../../dom0/run/cgroup_keeper.ts";
import { childrenWith, until, withFolder } from "../fixture.ts";

async function withKeeper(
  test: (keeper: CgroupKeeper, cgroup: string) => Promise<void>,
  lookSeconds = 0.02,
): Promise<void> {
  await withFolder(async (cgroup) => {
    Deno.writeTextFileSync(`${cgroup}/cgroup.events`, "populated 0\nfrozen 0\n");
    Deno.writeTextFileSync(`${cgroup}/cgroup.procs`, "");
    const keeper = createCgroupKeeper(cgroup, lookSeconds);
    try {
      await test(keeper, cgroup);
    } finally {
      keeper.close();
      await until("it has ended", () => keepers(cgroup).length === 0);
    }
  });
}

const keepers = (cgroup: string): number[] => childrenWith("oom_kill", cgroup);

const put = (cgroup: string, file: string, text: string): void =>
  Deno.writeTextFileSync(`${cgroup}/${file}`, text);
const kill = (cgroup: string): string => {
  try {
    return Deno.readTextFileSync(`${cgroup}/cgroup.kill`);
  } catch {
    return "";
  }
};

Deno.test("cgroup keeper: answers in the order of the questions", () =>
  withKeeper(async (keeper, cgroup) => {
    put(cgroup, "pids.max", "");
    const answers = [keeper.ask("TOTAL 7 8", cgroup), keeper.ask("SETTLE", cgroup)];
    assertEquals(await Promise.all(answers), ["ok", "ended"]);
    assertEquals(Deno.readTextFileSync(`${cgroup}/pids.max`), "7\n");
  }));

Deno.test("cgroup keeper: a limit of all commands that cannot be set is told", () =>
  withKeeper(async (keeper, cgroup) => {
    Deno.mkdirSync(`${cgroup}/memory.max`);
    assertEquals(await keeper.ask("TOTAL 7 8", cgroup), "failed");
  }));

Deno.test("cgroup keeper: what is left is killed, and busy until it is gone", () =>
  withKeeper(async (keeper, cgroup) => {
    put(cgroup, "cgroup.events", "populated 1\nfrozen 0\n");
    put(cgroup, "cgroup.procs", "17\n18\n");
    assertEquals(await keeper.settle(cgroup), "busy 2");
    assertEquals(kill(cgroup), "1\n");
    put(cgroup, "cgroup.events", "populated 0\nfrozen 0\n");
    assertEquals(await keeper.settle(cgroup), "ended");
  }));

Deno.test("cgroup keeper: more processes than it may have, and it is killed unasked", () =>
  withKeeper(async (keeper, cgroup) => {
    put(cgroup, "cgroup.procs", "1\n2\n3\n");
    keeper.watch(cgroup, "3");
    assertEquals(await keeper.ask("TOTAL 1 1", cgroup), "ok"); // it has looked
    assertEquals(kill(cgroup), "");
    put(cgroup, "cgroup.procs", "1\n2\n3\n4\n");
    await until("it is killed", () => kill(cgroup) === "1\n");
    assertEquals(await keeper.settle(cgroup), "ended killed");
    assertEquals(await keeper.settle(cgroup), "ended"); // told once
  }));

Deno.test("cgroup keeper: it looks while one question follows the other, too", () =>
  withKeeper(async (keeper, cgroup) => {
    put(cgroup, "cgroup.procs", "1\n2\n");
    keeper.watch(cgroup, "1");
    while (kill(cgroup) === "") await keeper.ask("TOTAL 1 1", cgroup);
    assertEquals(await keeper.settle(cgroup), "ended killed");
  }));

Deno.test("cgroup keeper: where the kernel holds the limit, the first refusal ends the command", () =>
  withKeeper(async (keeper, cgroup) => {
    put(cgroup, "cgroup.procs", "1\n".repeat(999));
    put(cgroup, "pids.events", "max 0\n");
    keeper.watch(cgroup, "kernel");
    assertEquals(await keeper.ask("TOTAL 1 1", cgroup), "ok");
    assertEquals(kill(cgroup), "");
    put(cgroup, "pids.events", "max 1\n");
    await until("it is killed", () => kill(cgroup) === "1\n");
    assertEquals(await keeper.settle(cgroup), "ended killed refused");
  }));

const MEMORY: readonly (readonly [oom: number, kills: number, answer: string])[] = [
  [0, 0, "ended"],
  [1, 0, "ended"],
  [1, 2, "ended oom"],
  [0, 1, "ended oom total"], // the limit that was reached is above this cgroup
];

for (const [oom, kills, answer] of MEMORY) {
  Deno.test(`cgroup keeper: oom ${oom}, oom_kill ${kills} is "${answer}"`, () =>
    withKeeper(async (keeper, cgroup) => {
      put(cgroup, "memory.events", `low 0\nmax 7\noom ${oom}\noom_kill ${kills}\n`);
      assertEquals(await keeper.settle(cgroup), answer);
    }));
}

Deno.test("cgroup keeper: a question that comes at the very moment of a look is answered, too", () =>
  withKeeper(async (keeper, cgroup) => {
    keeper.watch(`${cgroup}/other`, "1");
    for (let n = 0; n < 1_500; n++) assertEquals(await keeper.ask("TERM", cgroup), "ok");
  }, 0.0001));

Deno.test("cgroup keeper: killed, what was asked fails, and the next question has an answer", () =>
  withKeeper(async (keeper, cgroup) => {
    assertEquals(await keeper.settle(cgroup), "ended");
    const [pid = 0] = keepers(cgroup);
    Deno.kill(pid, "SIGSTOP");
    const asked = keeper.ask("TERM", cgroup);
    Deno.kill(pid, "SIGKILL");
    await assertRejects(() => asked, Error, "has ended");
    assertEquals(await keeper.ask("TERM", cgroup), "ok");
  }));

Deno.test("cgroup keeper: killed, the next one watches on though nobody asks it anything", () =>
  withKeeper(async (keeper, cgroup) => {
    keeper.watch(cgroup, "1");
    assertEquals(await keeper.ask("TERM", cgroup), "ok");
    for (const pid of keepers(cgroup)) Deno.kill(pid, "SIGKILL");
    put(cgroup, "cgroup.procs", "1\n2\n");
    await until("it is killed", () => kill(cgroup) === "1\n");
    assertEquals(await keeper.settle(cgroup), "ended killed");
  }));
