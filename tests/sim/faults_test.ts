// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { createFaultGate } from "./fault_gate.ts";
import { NO_FAULTS } from "./faults.ts";
import { readTextIfAny } from "./files.ts";
import { call, eventually, killChild, rpc, sleep, spawnClient } from "./test_tools.ts";
import { createWorld, type World } from "./world.ts";

async function echoWorld(): Promise<World> {
  const world = await createWorld({ vms: [{ name: "work" }] });
  world.installService("work", "test.Echo", "#!/bin/sh\nexec cat\n");
  return world;
}

/** Sizes of the pieces in which stdin arrives, as the remote reads them. */
const SIZES = "#!/bin/bash\nwhile n=$(dd bs=65536 count=1 2>/dev/null | wc -c); do " +
  '[ "$n" -gt 0 ] || break; echo "$n"; done\n';

Deno.test("refused calls fail with 125, and only as many as were asked for", async () => {
  await using world = await echoWorld();
  await world.setFaults("work", { refuseCalls: 2 });
  const codes = [];
  for (let i = 0; i < 3; i++) codes.push((await call(world, "work", "user:true")).code);
  assertEquals(codes, [125, 125, 0]);
});

Deno.test("faults can be for some calls only", async () => {
  await using world = await echoWorld();
  await world.setFaults("work", { match: "test.Echo", refuseCalls: 1 });
  assertEquals((await call(world, "work", "user:true")).code, 0);
  assertEquals((await call(world, "work", rpc("test.Echo"))).code, 125);
});

Deno.test("latency delays setting up, and each direction by itself", async () => {
  await using world = await echoWorld();
  await world.setFaults("work", { setupLatencyMs: 300, latencyMs: { toVm: 200, fromVm: 100 } });
  const before = performance.now();
  assertEquals((await call(world, "work", rpc("test.Echo"), "x")).stdout, "x");
  const took = performance.now() - before;
  assert(took > 600, `${took} ms`);
  await world.clearFaults("work");
});

Deno.test("a cut ends the call with 255 after that many bytes, and the remote gets EOF", async () => {
  await using world = await echoWorld();
  world.installService("work", "test.Count", "#!/bin/sh\nwc -c >$HOME/n; echo done >>$HOME/n\n");
  await world.setFaults("work", { cut: { direction: "toVm", afterBytes: 1000, times: 1 } });
  const cut = await call(world, "work", rpc("test.Count"), new Uint8Array(5000));
  assertEquals(cut.code, 255);
  assertStringIncludes(cut.stderr, "vchan connection closed early");
  const count = () => readTextIfAny(`${world.vmHome("work")}/n`);
  await eventually("the remote got EOF", () => count() === "1000\ndone\n");

  await world.setFaults("work", { cut: { direction: "fromVm", afterBytes: 3, times: 1 } });
  const back = await call(world, "work", rpc("test.Echo"), "123456");
  assertEquals([back.code, back.stdout], [255, "123"]);
  assertEquals((await call(world, "work", rpc("test.Echo"), "123456")).code, 0, "only one call");
});

Deno.test("data is cut into the same small pieces for the same seed", async () => {
  const text = new Uint8Array(200).map((_, i) => i);
  const cutUp = async (seed: number) => {
    const chunks = { toVm: { maxBytes: 40, seed, pauseMs: 0 }, fromVm: null };
    const pass = createFaultGate({ ...NO_FAULTS, chunks }).channel("user:true", "toVm");
    const pieces: number[][] = [];
    await pass(text, (piece) => Promise.resolve(void pieces.push([...piece])));
    return pieces;
  };
  const pieces = await cutUp(7);
  assertEquals(pieces.flat(), [...text]);
  assert(pieces.length > 4 && pieces.every(({ length }) => length >= 1 && length <= 40));
  assertEquals(await cutUp(7), pieces);
  assertNotEquals(await cutUp(8), pieces);
});

Deno.test("the ends of a call see the small pieces, and all bytes", async () => {
  await using world = await echoWorld();
  world.installService("work", "test.Sizes", SIZES);
  const text = "x".repeat(200);
  const toVm = { maxBytes: 40, seed: 7, pauseMs: 15 };
  await world.setFaults("work", { chunks: { toVm, fromVm: null } });
  const { stdout } = await call(world, "work", rpc("test.Sizes"), text);
  const sizes = stdout.trim().split("\n").map(Number);
  assertEquals(sizes.reduce((sum, size) => sum + size, 0), 200);
  assert(sizes.length > 1, stdout);
  const fromVm = { maxBytes: 3, seed: 1, pauseMs: 0 };
  await world.setFaults("work", { chunks: { toVm: null, fromVm } });
  assertEquals((await call(world, "work", rpc("test.Echo"), text)).stdout, text);
});

Deno.test("a stalled direction is silent until it is released, also in an open call", async () => {
  await using world = await echoWorld();
  const child = spawnClient(world, "work", rpc("test.Echo"));
  const writer = child.stdin.getWriter();
  const reader = child.stdout.getReader();
  await writer.write(new Uint8Array([1]));
  await reader.read();
  await world.setFaults("work", { stall: { toVm: true, fromVm: false } });
  await writer.write(new Uint8Array([2]));
  const answer = reader.read();
  assertEquals(await Promise.race([answer, sleep(100).then(() => "nothing")]), "nothing");
  await world.clearFaults("work");
  assertEquals((await answer).value, new Uint8Array([2]));
  writer.releaseLock();
  reader.releaseLock();
  await killChild(child);
});

Deno.test("without its daemon a VM takes no new call, and open ones go on", async () => {
  await using world = await echoWorld();
  const child = spawnClient(world, "work", rpc("test.Echo"));
  const reader = child.stdout.getReader();
  const writer = child.stdin.getWriter();
  await writer.write(new Uint8Array([1]));
  await reader.read();
  await world.setFaults("work", { daemonDown: true });
  const refused = await call(world, "work", "user:true");
  assertEquals(refused.code, 125);
  assertStringIncludes(refused.stderr, "No such file or directory");
  await writer.write(new Uint8Array([2]));
  assertEquals((await reader.read()).value, new Uint8Array([2]));
  await world.clearFaults("work");
  assertEquals((await call(world, "work", "user:true")).code, 0);
  writer.releaseLock();
  reader.releaseLock();
  await killChild(child);
});

Deno.test("an idle VM uses no CPU", async () => {
  await using world = await echoWorld();
  const child = spawnClient(world, "work", rpc("test.Echo"));
  const { agentPid } = JSON.parse(Deno.readTextFileSync(`${world.vmRoot("work")}/domain.json`));
  const ticks = (pid: number) => {
    const stat = readTextIfAny(`/proc/${pid}/stat`) ?? "";
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(fields[11]) + Number(fields[12]);
  };
  let last = -1;
  await eventually(
    "a second and a half without a tick of the clock for it",
    () => {
      const now = ticks(agentPid) + ticks(child.pid);
      const isIdle = now - last <= 1;
      last = now;
      return isIdle;
    },
    undefined,
    1_500,
  );
  await killChild(child);
});
