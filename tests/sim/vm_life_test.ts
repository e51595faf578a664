// SPDX-License-Identifier: GPL-2.0-or-later
/** What survives what: killed clients, and VMs that die, pause and start again (4.2, 4.6). */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { readTextIfAny } from "./files.ts";
import { processesInside, processInfo } from "./processes.ts";
import { call, eventually, finish, killChild, rpc, spawnClient } from "./test_tools.ts";
import { createWorld, type World } from "./world.ts";

const isGone = (pid: number) => processInfo(pid)?.isZombie ?? true;

/** Waits for a pid that something in the VM writes to its home. */
async function pidFrom(world: World, file: string): Promise<number> {
  const path = `${world.vmHome("work")}/${file}`;
  await eventually(file, () => (readTextIfAny(path) ?? "").endsWith("\n"));
  return Number(Deno.readTextFileSync(path));
}

for (const signal of ["SIGTERM", "SIGINT", "SIGKILL"] as const) {
  Deno.test(`a client that gets ${signal} does not take the remote with it`, async () => {
    await using world = await createWorld({ vms: [{ name: "work" }] });
    const sleeper = spawnClient(world, "work", "user:echo $$ >$HOME/sleeper; exec sleep 4242");
    const reader = spawnClient(world, "work", "user:echo $$ >$HOME/reader; exec cat");
    const writer = spawnClient(world, "work", "user:echo $$ >$HOME/writer; exec yes");
    const pids = {
      sleeper: await pidFrom(world, "sleeper"),
      reader: await pidFrom(world, "reader"),
      writer: await pidFrom(world, "writer"),
    };
    for (const client of [sleeper, reader, writer]) await killChild(client, signal);
    await eventually("cat got EOF", () => isGone(pids.reader));
    await eventually("yes got EPIPE", () => isGone(pids.writer));
    assertEquals((await call(world, "work", "user:true")).code, 0); // what came before is through
    assertEquals(isGone(pids.sleeper), false);
  });
}

Deno.test("a killed VM takes everything in it along, and its callers get 255", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }, { name: "other" }] });
  const kept = spawnClient(world, "other", "user:exec cat");
  const client = spawnClient(world, "work", "user:echo $$ >$HOME/main; exec cat");
  const script = "(setsid sh -c 'echo $$ >$HOME/daemon; exec sleep 999' &) ; " +
    "(env -i sh -c 'echo $$ >clean; exec sleep 999' &)";
  await call(world, "work", `user:exec </dev/null >/dev/null 2>&1; ${script}`);
  const pids = [
    await pidFrom(world, "main"),
    await pidFrom(world, "daemon"),
    await pidFrom(world, "clean"),
  ];
  await world.killVm("work");
  assertEquals(pids.map(isGone), [true, true, true]);
  const ended = await finish(client);
  assertEquals(ended.code, 255);
  assertMatch(ended.stderr, /vchan connection closed early \(fds: 1 0 -1, status: -1 -1\)\n$/);
  assertEquals(world.powerState("work"), "Halted");
  assertEquals((await call(world, "work", "user:true")).code, 125);
  await assertRejects(() => world.killVm("work"), Error, "Domain is powered off: 'work'");
  assertEquals((await finish(kept, "still here")).stdout, "still here");
});

Deno.test("dom0 sees a VM come and go in /run/qubes, with a new xid each time", async () => {
  await using world = await createWorld({ vms: [{ name: "work", running: false }] });
  const dir = `${world.dom0Root}/run/qubes`;
  const entries = () =>
    [...Deno.readDirSync(dir)].map((entry) => entry.name).filter((name) => name !== "policy.d")
      .sort();
  assertEquals(entries(), []);
  await world.startVm("work");
  assertEquals(entries(), ["qrexec.1", "qrexec.work"]);
  assertEquals(Deno.readLinkSync(`${dir}/qrexec.work`), "qrexec.1");
  await assertRejects(() => world.startVm("work"), Error, "Domain is not powered off: 'work'");
  await world.killVm("work");
  assertEquals(entries(), []);
  await world.startVm("work");
  assertEquals(entries(), ["qrexec.2", "qrexec.work"]);
  await world.shutdownVm("work");
  assertEquals(entries(), []);
});

Deno.test("a paused VM hangs without a sign, new calls time out, and then it goes on", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const echo = spawnClient(world, "work", "user:exec cat");
  const writer = echo.stdin.getWriter();
  const reader = echo.stdout.getReader();
  await writer.write(new Uint8Array([1]));
  assertEquals((await reader.read()).value, new Uint8Array([1]));

  await world.pauseVm("work");
  assertEquals(world.powerState("work"), "Paused");
  await writer.write(new Uint8Array([2]));
  const answer = reader.read();
  let answered = false;
  answer.then(() => answered = true);
  const before = performance.now();
  const refused = await call(world, "work", "user:true", "", "-w", "1");
  assertEquals(refused.code, 125);
  assertStringIncludes(refused.stderr, "qrexec connection timeout\n");
  assert(performance.now() - before > 950);
  assert(!answered);

  await world.unpauseVm("work");
  assertEquals((await answer).value, new Uint8Array([2]));
  assertEquals((await call(world, "work", "user:exit 4")).code, 4);
  writer.releaseLock();
  reader.releaseLock();
  await killChild(echo);
});

Deno.test("a paused VM can be killed", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const client = spawnClient(world, "work", "user:echo $$ >$HOME/main; exec cat");
  const pid = await pidFrom(world, "main");
  await world.pauseVm("work");
  await world.killVm("work");
  assertEquals((await finish(client)).code, 255);
  assert(isGone(pid));
});

Deno.test("shutting down lets processes end, and kills those that do not", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const polite = spawnClient(
    world,
    "work",
    "user:trap 'echo saved >$HOME/polite; exit 0' TERM; echo up; while :; do sleep 0.05; done",
  );
  const stubborn = spawnClient(
    world,
    "work",
    "user:trap '' TERM; echo up; while :; do sleep 1; done",
  );
  for (const child of [polite, stubborn]) {
    const reader = child.stdout.getReader();
    await reader.read();
    reader.releaseLock();
  }
  await world.shutdownVm("work");
  assertEquals((await finish(polite)).code, 0);
  assertEquals(readTextIfAny(`${world.vmHome("work")}/polite`), "saved\n");
  assert((await finish(stubborn)).code !== 0);
  assertEquals(world.powerState("work"), "Halted");
});

Deno.test("a VM's own processes belong to it, and end with it", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const child = world.runInVm("work", ["/bin/sh", "-c", "pwd; echo $HOME; exec sleep 999"], {
    stdout: "piped",
  });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const home = world.vmHome("work");
  assertStringIncludes(new TextDecoder().decode(value), home);
  await world.killVm("work");
  assertEquals((await child.status).signal, "SIGKILL");
  await reader.cancel();
});

Deno.test("a world leaves no process and no folder behind", async () => {
  const world = await createWorld({ vms: [{ name: "work" }, { name: "other" }] });
  await call(world, "work", "user:setsid sleep 999 </dev/null >/dev/null 2>&1 &");
  const client = spawnClient(world, "other", rpc("qubes.VMShell"));
  assert(processesInside(world.folder, undefined).length >= 4);
  await world.dispose();
  assertEquals(processesInside(world.folder, undefined), []);
  assertEquals(readTextIfAny(`${world.folder}/world.json`), undefined);
  await killChild(client);
});
