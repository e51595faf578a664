// SPDX-License-Identifier: GPL-2.0-or-later
/** The process that waits for a command: what ends it, and what never starts one. @module */

import { assert, assertEquals } from "@std/assert";
import { createWardens, type Warden, type Wardens } from "../../../dom0/run/wardens.ts";
import { childrenWith, until, withFolder } from "../fixture.ts";

/** Of the processes that wait for an order, those of one test. */
type Waiting = () => number[];
const READY = 2;

/** A folder stands in for their cgroup. */
async function withWardens(
  test: (wardens: Wardens, waiting: Waiting) => Promise<void>,
): Promise<void> {
  await withFolder(async (cgroup) => {
    const waiting: Waiting = () => childrenWith("read -r -d '' words", cgroup);
    const wardens = createWardens({ newCgroup: () => cgroup, dropCgroup() {} });
    try {
      await until("all wait", () => waiting().length === READY);
      await test(wardens, waiting);
    } finally {
      wardens.close();
      await until("none is left", () => waiting().length === 0);
    }
  });
}

const order = (
  ...argv: readonly string[]
): string[] => ["9", "9", "/dev/null", "1", "A=b", ...argv, "go"];

async function outputOf({ child }: Warden): Promise<string> {
  const [out] = await Promise.all([
    new Response(child.stdout).text(),
    child.stderr.cancel(),
    child.status,
  ]);
  return out;
}

async function codeOf(warden: Warden): Promise<number> {
  await outputOf(warden);
  return (await warden.child.status).code;
}

Deno.test("wardens: the one that waits becomes the command, and another waits", () =>
  withWardens(async (wardens, waiting) => {
    const pids = waiting();
    const warden = wardens.start(order("sh", "-c", "echo $$ $A"));
    const { pid } = warden.child;
    assert(pids.includes(pid));
    assertEquals(await outputOf(warden), `${pid} b\n`);
    await until("another waits", () => waiting().length === READY);
  }));

Deno.test("wardens: several at once are each their own", () =>
  withWardens(async (wardens) => {
    const started = ["1", "2", "3", "4"].map((word) => wardens.start(order("echo", word)));
    assertEquals(await Promise.all(started.map(outputOf)), ["1\n", "2\n", "3\n", "4\n"]);
  }));

Deno.test("wardens: if the one that waits is killed, the next command has its own", () =>
  withWardens(async (wardens, waiting) => {
    for (const pid of waiting()) Deno.kill(pid, "SIGKILL");
    await until("it is gone", () => waiting().length === 0);
    // Until its parent knows, an order may still go to the one that is gone.
    const isRun = async (): Promise<boolean> =>
      await outputOf(wardens.start(order("echo", "still"))) === "still\n";
    await until("a command has its own", isRun);
  }));

Deno.test("wardens: an order that is cut off runs nothing", () =>
  withFolder((folder) =>
    withWardens(async (wardens) => {
      const whole = order("touch", `${folder}/ran`);
      for (let length = 0; length < whole.length; length++) {
        assertEquals(await codeOf(wardens.start(whole.slice(0, length))), 125, `${length} words`);
      }
      const inside = wardens.start([...whole.slice(0, -1), "g"]);
      assertEquals(await codeOf(inside), 125);
      assertEquals([...Deno.readDirSync(folder)], []);
      assertEquals(await codeOf(wardens.start(whole)), 0);
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["ran"]);
    })
  ));
