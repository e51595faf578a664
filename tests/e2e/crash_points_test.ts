// SPDX-License-Identifier: GPL-2.0-or-later
/** Kills at points that were chosen: between two steps of one request, where a crash hurts most. */
import { assert, assertEquals } from "@std/assert";
import type { RequestId } from "../../shared/protocol/request_id.ts";
import { complaintsAboutRequests } from "./chaos.ts";
import { type Daemon, install, type Installed, readAudit, readState, until } from "./installed.ts";
import {
  isService,
  isSession,
  killSeen,
  seenProcesses,
  untilNothingRuns,
} from "./seen_processes.ts";
import { openQueue, type VmQueue } from "./vm_queue.ts";

const VM = "work";

interface Scene {
  readonly qubes: Installed;
  readonly queue: VmQueue;
  /** Where commands say that they ran. */
  readonly runs: string;
  daemon: Daemon;
  readonly published: Map<RequestId, VmQueue>;
  /** A command that prints "one"; `middle` comes before its end. */
  ask(middle?: string): Promise<RequestId>;
  restart(): Promise<void>;
}

/** Runs a scene to its end: everything is answered as the audit says, nothing is left. */
function point(name: string, act: (scene: Scene) => Promise<void>, config: string[] = []): void {
  Deno.test(name, async () => {
    await using qubes = await install([{ name: VM }]);
    const { world } = qubes;
    await qubes.authorize(VM);
    await qubes.configure(config);
    const runs = `${world.folder}/runs`;
    await Deno.writeTextFile(runs, "");
    const queue = await openQueue(world, VM);
    const scene: Scene = {
      ...{ qubes, queue, runs, published: new Map(), daemon: await qubes.startDaemon([VM]) },
      async ask(middle = "") {
        const id = await queue.publish(
          `echo "s $QVM_REMOTE_ID" >>'${runs}'\n${middle}\nprintf one\n` +
            `echo "e $QVM_REMOTE_ID" >>'${runs}'\n`,
        );
        scene.published.set(id, queue);
        return id;
      },
      async restart() {
        scene.daemon = await qubes.startDaemon([VM]);
      },
    };
    await act(scene);
    for (const id of scene.published.keys()) await queue.answer(id);
    const lasting = new Set(scene.published.keys());
    assertEquals(await complaintsAboutRequests(qubes, { ...scene, lasting }), []);
    for (const folder of ["pending", "running", "cancel"] as const) {
      await until(`nothing is in ${folder}`, () => queue.names(folder).length === 0);
    }
    assertEquals(await scene.daemon.stop(), 0);
    assertEquals((await qubes.dom0(["audit", "verify"])).code, 0);
    await untilNothingRuns(world);
  });
}

point("daemon killed while one command runs and one waits for its slot", async (scene) => {
  const first = await scene.ask("sleep 1000");
  await untilStarted(scene, first);
  const second = await scene.ask();
  await untilEvent(scene, "accepted", second);
  await scene.daemon.kill();
  await scene.restart();
  assertEquals(await kindOf(scene, first), "interrupted");
  assertEquals(await kindOf(scene, second), "interrupted");
  assertEquals([runsOf(scene, first), runsOf(scene, second)], [1, 0]);
  assertEquals(sleepers(scene), 0, "the command outlived its daemon's successor");
}, ['QVM_REMOTE_PARALLEL="1"']);

point("daemon killed between taking it and the audit: it never runs", async (scene) => {
  using held = await holdAudit(scene);
  const id = await scene.ask();
  const taken = `${scene.qubes.world.dom0Root}/var/lib/qvm-remote/outcomes/${VM}/${id}.request`;
  await until("it is taken", () => isThere(taken));
  await pause(100); // the daemon comes to where it waits
  await scene.daemon.kill();
  held.unlockSync();
  await scene.restart();
  assertEquals(await kindOf(scene, id), "interrupted");
  assertEquals(runsOf(scene, id), 0);
});

point("daemon killed between the outcome on disk and the audit: said once", async (scene) => {
  const go = `${scene.qubes.world.folder}/go`;
  const id = await scene.ask(`until [ -e '${go}' ]; do sleep 0.01; done`);
  await untilStarted(scene, id);
  using held = await holdAudit(scene);
  await Deno.writeTextFile(go, "");
  const meta = `${scene.qubes.world.dom0Root}/var/lib/qvm-remote/outcomes/${VM}/${id}.meta`;
  await until("dom0 keeps the outcome", () => isThere(meta));
  await pause(100);
  await scene.daemon.kill();
  held.unlockSync();
  await scene.restart();
  assertEquals(await kindOf(scene, id), "done");
  assertEquals(runsOf(scene, id), 1);
});

point("daemon killed after the end, before the VM could hear of it", async (scene) => {
  const { world } = scene.qubes;
  const id = await scene.ask("sleep 0.3");
  await untilStarted(scene, id);
  await world.setFaults(VM, { stall: { toVm: true, fromVm: false } });
  await untilEvent(scene, "done", id);
  assert(!scene.queue.hasAnswer(id));
  await scene.daemon.kill();
  await world.clearFaults(VM);
  await scene.restart();
  assertEquals(await kindOf(scene, id), "done");
  assertEquals(runsOf(scene, id), 1);
});

point("stream cut at every place of a small exchange", async (scene) => {
  const { world } = scene.qubes;
  for (const direction of ["fromVm", "toVm"] as const) {
    for (const afterBytes of [0, 8, 40]) {
      await world.setFaults(VM, { cut: { direction, afterBytes, times: 1 } });
      const id = await scene.ask();
      assertEquals(await kindOf(scene, id), "done", `${direction} ${afterBytes}`);
      // A fresh daemon: the pause between the calls of an old one grows.
      await scene.daemon.kill();
      await scene.restart();
    }
  }
});

point("service killed before dom0 has the request: sent again, run once", async (scene) => {
  const { world } = scene.qubes;
  await world.setFaults(VM, { stall: { toVm: false, fromVm: true } });
  const id = await scene.ask();
  await until("the service sent it", () => scene.queue.names("running").includes(id));
  assertEquals(killSeen(world, isService(VM)), 1);
  await world.clearFaults(VM);
  assertEquals(await kindOf(scene, id), "done");
});

point("service killed while the command runs: joined again, nothing lost", async (scene) => {
  const { world } = scene.qubes;
  const go = `${world.folder}/go`;
  const id = await scene.ask(`until [ -e '${go}' ]; do sleep 0.01; done`);
  await untilStarted(scene, id);
  assertEquals(killSeen(world, isService(VM)), 1);
  await untilEvent(scene, "resumed", id);
  assertEquals(killSeen(world, isSession(VM)), 1);
  await Deno.writeTextFile(go, "");
  assertEquals(await kindOf(scene, id), "done");
});

point("service killed between its answer and dom0's hearing of it", async (scene) => {
  const { world } = scene.qubes;
  const id = await scene.ask("sleep 0.3");
  await untilStarted(scene, id);
  await world.setFaults(VM, { stall: { toVm: false, fromVm: true } });
  assertEquals(await kindOf(scene, id), "done");
  assertEquals(killSeen(world, isSession(VM)), 1); // with it goes what is on its way
  await world.clearFaults(VM);
  const next = await scene.ask();
  assertEquals(await kindOf(scene, next), "done");
});

point("answers whose ack was lost do not use up what a VM may have open", async (scene) => {
  const { world } = scene.qubes;
  for (let lost = 0; lost < 72;) {
    await world.setFaults(VM, { stall: { toVm: false, fromVm: false } });
    const go = `${world.folder}/go-${lost}`;
    const wait = `until [ -e '${go}' ]; do sleep 0.05; done`;
    const ids = await Promise.all(Array.from({ length: 18 }, () => scene.ask(wait)));
    for (const id of ids) await untilEvent(scene, "accepted", id);
    await world.setFaults(VM, { stall: { toVm: false, fromVm: true } });
    await Deno.writeTextFile(go, "");
    for (const id of ids) assertEquals(await kindOf(scene, id), "done");
    lost += ids.length;
    killSeen(world, isSession(VM)); // with it goes what is on its way
    await world.clearFaults(VM);
    await until("connected again", () => sessionsSeen(scene) > lost / 18);
  }
  assertEquals(await kindOf(scene, await scene.ask()), "done");
});

point("VM killed while its command runs: the answer waits for it", async (scene) => {
  const { world } = scene.qubes;
  const id = await scene.ask("sleep 0.4");
  await untilStarted(scene, id);
  await world.killVm(VM);
  await untilEvent(scene, "done", id);
  await until("it is kept", () => readState(world)?.vms[0]?.kept === 1);
  await world.startVm(VM);
  assertEquals(await kindOf(scene, id), "done");
});

/** Stops every record of the audit until it is let go of. */
async function holdAudit({ qubes }: Scene): Promise<Deno.FsFile> {
  const path = `${qubes.world.dom0Root}/var/log/qubes/qvm-remote.audit.jsonl.lock`;
  const file = await Deno.open(path, { write: true });
  await file.lock(true);
  return file;
}

async function kindOf({ queue }: Scene, id: RequestId): Promise<string> {
  const { kind, reason } = (await queue.answer(id)).outcome;
  return reason ?? kind;
}

function runsOf({ runs }: Scene, id: RequestId): number {
  return Deno.readTextFileSync(runs).split("\n").filter((line) => line === `s ${id}`).length;
}

function sleepers({ qubes }: Scene): number {
  const isSleeper = ({ commandLine }: { commandLine: string }) => commandLine === "sleep 1000";
  return seenProcesses(qubes.world).filter(isSleeper).length;
}

function sessionsSeen({ qubes }: Scene): number {
  return readAudit(qubes.world).filter(({ event }) => event === "connected").length;
}

async function untilStarted(scene: Scene, id: RequestId): Promise<void> {
  await until(`${id} runs`, () => runsOf(scene, id) === 1);
}

async function untilEvent({ qubes }: Scene, event: string, id: RequestId): Promise<void> {
  const isIt = (record: { event: string; id?: string }) =>
    record.event === event && record.id === id;
  await until(`${event} ${id}`, () => readAudit(qubes.world).some(isIt));
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
