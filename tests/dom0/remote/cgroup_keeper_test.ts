// SPDX-License-Identifier: GPL-2.0-or-later
/** On a folder that looks like a cgroup: what is asked, what is answered, what ends. @module */

import { assertEquals, assertRejects } from "@std/assert";
import { type CgroupKeeper, createCgroupKeeper } from "../../../dom0/remote/cgroup_keeper.ts";
import { childrenWith, until, withFolder } from "./fixture.ts";

async function withKeeper(
  test: (keeper: CgroupKeeper, cgroup: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (cgroup) => {
    Deno.writeTextFileSync(`${cgroup}/cgroup.events`, "populated 0\nfrozen 0\n");
    Deno.writeTextFileSync(`${cgroup}/cgroup.procs`, "");
    const keeper = createCgroupKeeper();
    try {
      await test(keeper, cgroup);
    } finally {
      keeper.close();
      await until("it has ended", () => keepers().length === 0);
    }
  });
}

const keepers = (): number[] => childrenWith("oom_kills");

Deno.test("cgroup keeper: counts, and answers in the order of the questions", () =>
  withKeeper(async (keeper, cgroup) => {
    Deno.writeTextFileSync(`${cgroup}/cgroup.procs`, "1\n2\n3\n");
    const answers = [keeper.ask("COUNT", cgroup), keeper.ask("SETTLE", cgroup)];
    assertEquals(await Promise.all(answers), ["3", "ended"]);
  }));

Deno.test("cgroup keeper: what is left is killed, and busy until it is gone", () =>
  withKeeper(async (keeper, cgroup) => {
    Deno.writeTextFileSync(`${cgroup}/cgroup.events`, "populated 1\nfrozen 0\n");
    assertEquals(await keeper.ask("SETTLE", cgroup), "busy");
    assertEquals(Deno.readTextFileSync(`${cgroup}/cgroup.kill`), "1\n");
    Deno.writeTextFileSync(`${cgroup}/cgroup.events`, "populated 0\nfrozen 0\n");
    assertEquals(await keeper.ask("SETTLE", cgroup), "ended");
  }));

Deno.test("cgroup keeper: a process that the kernel ended for lack of memory is told once", () =>
  withKeeper(async (keeper, cgroup) => {
    const kills = (count: number): void =>
      Deno.writeTextFileSync(`${cgroup}/memory.events`, `low 0\nmax 7\noom 1\noom_kill ${count}\n`);
    kills(4);
    assertEquals(await keeper.ask("SETTLE", cgroup), "ended"); // of before its time
    kills(5);
    assertEquals(await keeper.ask("SETTLE", cgroup), "oom");
    assertEquals(await keeper.ask("SETTLE", cgroup), "ended");
  }));

Deno.test("cgroup keeper: killed, what was asked fails, and the next question has an answer", () =>
  withKeeper(async (keeper, cgroup) => {
    assertEquals(await keeper.ask("COUNT", cgroup), "0");
    const [pid = 0] = keepers();
    Deno.kill(pid, "SIGSTOP");
    const asked = keeper.ask("COUNT", cgroup);
    Deno.kill(pid, "SIGKILL");
    await assertRejects(() => asked, Error, "has ended");
    assertEquals(await keeper.ask("COUNT", cgroup), "0");
  }));
