// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Requests that wait for a person, while something is killed: nothing runs that was not approved,
 * nothing runs twice, and each has exactly one outcome.
 */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import type { ParkedView } from "../../dom0/approval/parked_view.ts";
import { utf8 } from "../../shared/protocol/bytes.ts";
import type { RequestId } from "../../shared/protocol/request_id.ts";
import { createRandom } from "../sim/faults.ts";
import { type Daemon, install, type Installed, readAudit, until } from "./installed.ts";
import { isService, isSession, killSeen, untilNothingRuns } from "./seen_processes.ts";
import { openQueue, type VmQueue } from "./vm_queue.ts";

const VM = "agent";
const ROUNDS = Number(Deno.env.get("QVM_REMOTE_ROUNDS") ?? 8);
const SEED = Number(Deno.env.get("QVM_REMOTE_SEED") ?? Date.now() % 1_000_000);
/** From a yes to the end of a plan of three steps. */
const LONGEST_PLAN_MS = 2_500;
/** Each ends a request. */
const ENDS: ReadonlySet<string> = new Set([
  ...["done", "denied", "expired", "refused", "cancelled", "interrupted", "stopping"],
]);

interface Scene {
  readonly qubes: Installed;
  readonly queue: VmQueue;
  daemon: Daemon;
  readonly asked: RequestId[];
  /** A script that says that it ran. */
  ask(): Promise<RequestId>;
  /** How often each ran. */
  runs(): ReadonlyMap<string, number>;
  pending(): Promise<readonly ParkedView[]>;
  parked(id: RequestId): Promise<ParkedView>;
  approve(view: ParkedView): Promise<number>;
  restart(): Promise<void>;
}

function crashTest(name: string, act: (scene: Scene) => Promise<void>): void {
  Deno.test(name, async () => {
    await using qubes = await install([{ name: VM }]);
    await qubes.authorize(VM, "--grant", "ask");
    const runsFile = `${qubes.world.folder}/runs`;
    await Deno.writeTextFile(runsFile, "");
    const queue = await openQueue(qubes.world, VM);
    const scene: Scene = {
      ...{ qubes, queue, asked: [], daemon: await qubes.startDaemon([VM]) },
      async ask() {
        const id = await queue.publish(`echo "$QVM_REMOTE_ID" >>'${runsFile}'\nsleep 0.05\n`);
        scene.asked.push(id);
        return id;
      },
      runs() {
        const counts = new Map<string, number>();
        for (const id of Deno.readTextFileSync(runsFile).trimEnd().split("\n")) {
          counts.set(id, (counts.get(id) ?? 0) + 1);
        }
        return counts;
      },
      pending: async () => JSON.parse((await qubes.dom0(["pending", "--json"])).stdout || "[]"),
      async parked(id) {
        let found: ParkedView | undefined;
        await until(`${id} waits`, async () => {
          found = (await scene.pending()).find((view) => view.id === id);
          return found !== undefined;
        });
        if (found === undefined) throw new Error("it does not wait");
        return found;
      },
      approve: async ({ id }) => (await qubes.dom0(["approve", "--yes", id])).code,
      async restart() {
        scene.daemon = await qubes.startDaemon([VM]);
      },
    };
    await act(scene);
    for (const id of scene.asked) await queue.answer(id);
    assertEquals(await scene.daemon.stop(), 0);
    assertEquals(await complaints(scene), []);
    assertEquals((await qubes.dom0(["audit", "verify"])).code, 0);
    await untilNothingRuns(qubes.world);
  });
}

async function complaints(scene: Scene): Promise<readonly string[]> {
  const found: string[] = [];
  const audit = readAudit(scene.qubes.world);
  const runs = scene.runs();
  for (const id of scene.asked) {
    const events = audit.filter((record) => record.id === id).map(({ event }) => event);
    const count = (event: string): number => events.filter((known) => known === event).length;
    const { outcome } = await scene.queue.readAnswer(id);
    const ran = runs.get(id) ?? 0;
    const told = `${id}: ran ${ran} times, ${outcome.kind} ${outcome.reason}, ${events}`;
    const isWrong = ran > 1 || (ran > 0 && count("approved") !== 1) || count("accepted") > 0 ||
      count("approved") > 1 || events.filter((event) => ENDS.has(event)).length !== 1 ||
      (outcome.kind === "done" && ran !== 1) || (outcome.kind === "refused" && ran !== 0);
    if (isWrong) found.push(told);
  }
  return found;
}

crashTest(
  "daemon killed while a request waits: it never runs, whoever says yes later",
  async (scene) => {
    const view = await scene.parked(await scene.ask());
    await scene.daemon.kill();
    assertEquals(await scene.approve(view), 1);
    await scene.restart();
    assertEquals(await scene.approve(view), 1);
    assertEquals((await scene.queue.answer(view.id as RequestId)).outcome.kind, "interrupted");
  },
);

crashTest("daemon killed between a yes and its record: it never runs", async (scene) => {
  const view = await scene.parked(await scene.ask());
  const path = `${scene.qubes.world.dom0Root}/var/log/qubes/qvm-remote.audit.jsonl.lock`;
  using held = await Deno.open(path, { write: true });
  await held.lock(true);
  const yes = scene.qubes.spawnDom0(["approve", "--yes", view.id]);
  const isTaken = (): boolean => namesIn(scene, "parked").length === 0;
  await until("the yes is taken", isTaken);
  await scene.daemon.kill();
  yes.kill("SIGKILL");
  await yes.output();
  await held.unlock();
  await scene.restart();
  assertEquals((await scene.queue.answer(view.id as RequestId)).outcome.kind, "interrupted");
  assertEquals(scene.runs().get(view.id), undefined);
});

crashTest("an order that no daemon took is done by none that comes later", async (scene) => {
  const view = await scene.parked(await scene.ask());
  await scene.daemon.kill();
  const { vm, id, hash } = view;
  const what = { vm, id, hash, forSeconds: 600, allLike: true };
  const order = { order: "approve", by: { user: "ann", via: "a test" }, what };
  const folder = `${scene.qubes.world.dom0Root}/run/qvm-remote/orders`;
  await Deno.writeTextFile(`${folder}/${"0".repeat(32)}.order`, JSON.stringify(order));
  await scene.restart();
  assertEquals(namesIn(scene, "orders"), []);
  assertEquals((await scene.queue.answer(view.id as RequestId)).outcome.kind, "interrupted");
  await scene.parked(await scene.ask());
  assertEquals(
    await scene.qubes.dom0(["grants"]).then(({ stdout }) => stdout),
    "There are no grants.\n",
  );
  const last = scene.asked.at(-1);
  if (last !== undefined) scene.queue.cancel(last);
});

crashTest("who says yes is killed after saying it: it runs once", async (scene) => {
  const view = await scene.parked(await scene.ask());
  const { vm, id, hash } = view;
  const what = { vm, id, hash, forSeconds: null, allLike: false };
  const order = JSON.stringify({ order: "approve", by: { user: "ann", via: "a test" }, what });
  const folder = `${scene.qubes.world.dom0Root}/run/qvm-remote/orders`;
  for (const name of ["1", "2"]) { // and another one says it, too
    await Deno.writeTextFile(`${folder}/.new`, order);
    await Deno.rename(`${folder}/.new`, `${folder}/${name.repeat(32)}.order`);
  }
  assertEquals((await scene.queue.answer(view.id as RequestId)).outcome.kind, "done");
  await until("both are answered", () => namesIn(scene, "orders").length === 2);
});

crashTest(
  "session, service and VM killed while requests wait: they go on waiting",
  async (scene) => {
    const { world } = scene.qubes;
    const views = [await scene.parked(await scene.ask()), await scene.parked(await scene.ask())];
    assertEquals(killSeen(world, isService(VM)), 1);
    const resumed = (): number =>
      readAudit(world).filter(({ event }) => event === "resumed").length;
    await until("they were sent again", () => resumed() === 2);
    assertEquals(killSeen(world, isSession(VM)), 1);
    await until("and once more", () => resumed() === 4);
    await world.killVm(VM);
    const [first, second] = views;
    assert(first !== undefined && second !== undefined);
    assertEquals(await scene.approve(first), 0, "its VM is not there");
    await world.startVm(VM);
    assertEquals((await scene.queue.answer(first.id as RequestId)).outcome.kind, "done");
    await until("the other one is sent again", () => resumed() >= 5);
    assertEquals(await scene.approve(second), 0);
    assertEquals((await scene.queue.answer(second.id as RequestId)).outcome.kind, "done");
  },
);

crashTest(`${ROUNDS} rounds of answers and kills (seed ${SEED})`, async (scene) => {
  const { qubes, queue } = scene;
  const { world } = qubes;
  const random = createRandom(SEED);
  const upTo = (limit: number): number => Math.floor(random() * limit);
  for (let round = 0; round < ROUNDS; round++) {
    const ids = [await scene.ask(), await scene.ask(), await scene.ask(), await scene.ask()];
    await until("one waits", async () => (await scene.pending()).length > 0);
    const answers = ids.map((id) => {
      const words = [["approve", "--yes", id], ["approve", "--yes", id], ["deny", id]][upTo(4)];
      if (words === undefined) return Promise.resolve(queue.cancel(id));
      return qubes.dom0(words);
    });
    await new Promise((resolve) => setTimeout(resolve, upTo(600)));
    const victim = upTo(3);
    if (victim === 0) killSeen(world, isService(VM));
    else if (victim === 1) killSeen(world, isSession(VM));
    else {
      await scene.daemon.kill();
      await scene.restart();
    }
    await Promise.all(answers);
    for (const view of await scene.pending()) await qubes.dom0(["deny", view.id]);
    for (const id of ids) {
      await until(`${id} is answered`, async () => {
        if (queue.hasAnswer(id)) return true;
        for (const view of await scene.pending()) await qubes.dom0(["deny", view.id]);
        return false;
      });
    }
  }
});

crashTest(`${ROUNDS} plans, killed while they wait or run (seed ${SEED})`, async (scene) => {
  const { qubes, queue } = scene;
  const random = createRandom(SEED);
  for (let round = 0; round < ROUNDS; round++) {
    const { id, ranOf } = await askPlan(scene, `plan${round}`);
    const view = await scene.parked(id);
    const isApproved = round % 3 > 0;
    const yes = isApproved ? scene.approve(view) : Promise.resolve(1);
    if (isApproved) await delay(random() * LONGEST_PLAN_MS);
    await scene.daemon.kill();
    await scene.restart();
    await yes;
    assertEquals(await scene.approve(view), 1, "it waits no more");
    const { outcome } = await queue.answer(id);
    const ran = ranOf();
    const told = `round ${round}: ${outcome.kind} ${outcome.reason}, steps ran ${ran}`;
    const approvals = readAudit(qubes.world).filter((one) =>
      one.id === id && one.event === "approved"
    );
    assert(ran.every((times) => times <= 1), told);
    assertEquals(ran.toSorted((a, b) => b - a), ran, `a step was left out; ${told}`);
    assert(ran[0] === 0 || approvals.length === 1, `nobody said yes; ${told}`);
    assert(outcome.kind !== "done" || ran.at(-1) === 1, told);
  }
});

/** Three steps, each of which says that it ran. */
async function askPlan(
  { qubes, queue, runs }: Scene,
  token: string,
): Promise<{ readonly id: RequestId; ranOf(): readonly number[] }> {
  const names = [1, 2, 3].map((step) => `${token}-${step}`);
  const steps = names.map((name) => ({
    operation: "vm.run",
    vm: VM,
    command: `echo ${name} >>'${qubes.world.folder}/runs'; sleep 0.1`,
  }));
  const id = await queue.publish(utf8(JSON.stringify({ steps })), { mode: "plan" });
  return { id, ranOf: () => names.map((name) => runs().get(name) ?? 0) };
}

function namesIn({ qubes }: Scene, folder: "parked" | "orders"): readonly string[] {
  const path = `${qubes.world.dom0Root}/run/qvm-remote/${folder}`;
  return Array.from(Deno.readDirSync(path), ({ name }) => name);
}
