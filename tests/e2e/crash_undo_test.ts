// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Plans and undo while something is killed: what was changed can be undone, and nothing that is half
 * undone is called undone. The moments are random; the seed is printed, and says them again.
 */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import type { RequestId } from "../../shared/protocol/request_id.ts";
import { utf8 } from "../../shared/protocol/bytes.ts";
import { createRandom } from "../sim/faults.ts";
import { type Daemon, install, type Installed } from "./installed.ts";
import { killSeen, untilNothingRuns } from "./seen_processes.ts";
import { openQueue } from "./vm_queue.ts";

const ROUNDS = Number(Deno.env.get("QVM_REMOTE_ROUNDS") ?? 4);
const SEED = Number(Deno.env.get("QVM_REMOTE_SEED") ?? Date.now() % 1_000_000);
/** A plan of four steps, or its undo, takes about as long. */
const LONGEST_MS = 3000;

const STEPS = [
  { operation: "vm.prefs.set", vm: "work", property: "memory", value: "700" },
  { operation: "vm.tags.add", vm: "work", tag: "ai" },
  { operation: "vm.features.set", vm: "work", feature: "x", value: "1" },
  { operation: "vm.prefs.set", vm: "work", property: "memory", value: "800" },
];

/** No tool takes that. */
const FAILS = { operation: "vm.prefs.set", vm: "work", property: "memory", value: "much" };

async function tool({ world }: Installed, name: string, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(`${world.dom0Bin}/${name}`, {
    args,
    clearEnv: true,
    env: world.dom0Env(),
  }).output();
  return new TextDecoder().decode(stdout).trim();
}

/** All that the plan changes. */
async function stateOf(qubes: Installed): Promise<string> {
  const memory = await tool(qubes, "qvm-prefs", "work", "memory");
  const tags = await tool(qubes, "qvm-tags", "work", "list");
  return `${memory} ${tags.split("\n").includes("ai")} ${await tool(
    qubes,
    "qvm-features",
    "work",
    "x",
  )}`;
}

/** "yes", "undone", "partly" or "no"; null: it is not listed. */
async function undoStateOf(qubes: Installed, id: RequestId): Promise<string | null> {
  const { stdout } = await qubes.dom0(["history", "--json", "--vm", "agent", "-n", "1000"]);
  const entries = stdout.trimEnd().split("\n").filter((line) => line !== "");
  return entries.map((line) => JSON.parse(line)).find((entry) => entry.id === id)?.undo ?? null;
}

Deno.test(`plans and undo, killed at ${ROUNDS} moments each (seed ${SEED})`, async () => {
  await using qubes = await install([{ name: "agent" }, { name: "work" }]);
  await qubes.authorize("agent", "--grant", "manage");
  await tool(qubes, "qvm-prefs", "work", "memory", "400");
  const before = await stateOf(qubes);
  let daemon: Daemon = await qubes.startDaemon(["agent"]);
  const queue = await openQueue(qubes.world, "agent");
  const random = createRandom(SEED);
  const moment = (): Promise<void> => delay(random() * LONGEST_MS);
  const send = (plan: unknown = { steps: STEPS }): Promise<RequestId> =>
    queue.publish(utf8(JSON.stringify(plan)), { mode: "plan" });

  for (let round = 0; round < ROUNDS; round++) {
    const id = await send();
    await moment();
    await daemon.kill();
    await untilNothingRuns(qubes.world);
    daemon = await qubes.startDaemon(["agent"]);
    await queue.answer(id);
    assert(await undoStateOf(qubes, id) !== "undone", `round ${round}: called undone`);
    const { code, stderr } = await qubes.dom0(["undo", id], "yes\n");
    const isNothing = stderr.includes("nothing was kept");
    assert(code === 0 || isNothing, `round ${round}: ${stderr}`);
    assertEquals(await stateOf(qubes), before, `round ${round}: killed in a plan`);
  }

  for (let round = 0; round < ROUNDS; round++) {
    const id = await send();
    assertEquals((await queue.answer(id)).outcome.exitCode, 0);
    const undoing = qubes.dom0(["undo", id, "--yes"]);
    await moment();
    killSeen(
      qubes.world,
      ({ commandLine }) => / undo /.test(commandLine) && commandLine.includes(id),
    );
    await undoing;
    const isBack = await stateOf(qubes) === before;
    const said = await undoStateOf(qubes, id);
    assert(said !== "undone" || isBack, `round ${round}: called undone`);
    if (said !== "undone") {
      const { code, stderr } = await qubes.dom0(["undo", id], "yes\n");
      assertEquals([round, code], [round, 0], stderr);
    }
    assertEquals(await stateOf(qubes), before, `round ${round}: killed in an undo`);
    assertEquals(await undoStateOf(qubes, id), "undone");
  }
  for (let round = 0; round < ROUNDS; round++) {
    const id = await send({ steps: [...STEPS, FAILS], undoOnFailure: true });
    await moment();
    await moment(); // there and back is twice the way
    await daemon.kill();
    await untilNothingRuns(qubes.world);
    daemon = await qubes.startDaemon(["agent"]);
    const { stdout } = await queue.answer(id);
    const last = new TextDecoder().decode(stdout).trimEnd().split("\n").at(-1) ?? "";
    const isSaid = last.startsWith('{"plan"') && JSON.parse(last).notUndone.length === 0;
    const isBack = await stateOf(qubes) === before;
    assert(isBack || !isSaid, `round ${round}: the plan says that all is undone: ${last}`);
    assert(isBack || await undoStateOf(qubes, id) !== "undone", `round ${round}: called undone`);
    const { code, stderr } = await qubes.dom0(["undo", id], "yes\n");
    const isNothing = /nothing was kept|undone already/.test(stderr);
    assert(code === 0 || isNothing, `round ${round}: ${stderr}`);
    assertEquals(await stateOf(qubes), before, `round ${round}: killed in undo-on-failure`);
  }

  assertEquals((await qubes.dom0(["audit", "verify"])).code, 0);
  assertEquals(await daemon.stop(), 0);
});
