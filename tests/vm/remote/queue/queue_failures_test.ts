// SPDX-License-Identifier: GPL-2.0-or-later
/** What the file system refuses, or what lies in the way, ends one request at most. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { isPresent } from "../../../../shared/io/sync_files.ts";
import { parseMeta } from "../../../../shared/protocol/outcome.ts";
import type { RequestId } from "../../../../shared/protocol/request_id.ts";
import type { Layout } from "../../../../vm/remote/files/layout.ts";
import { connectPeer, type Dom0Peer } from "../dom0_peer.ts";
import { namesIn, runClient, until, type Vm, vmTest } from "../fixture.ts";
import { type Ran, runInProcess, scriptRequest } from "../in_process.ts";

/** Runs a request from end to end. */
async function serve(vm: Vm, peer: Dom0Peer, stdout = "out\n", stderr = "err\n"): Promise<Ran> {
  const running = runInProcess(vm, await scriptRequest(vm, "x"));
  const request = await peer.nextRequest();
  await peer.output(request.seq, 1, stdout);
  await peer.output(request.seq, 2, stderr);
  await peer.finish(request, "done", 3);
  peer.credit(1);
  return await running;
}

function assertWhole({ end, stdout, stderr }: Ran): void {
  assertEquals([stdout, stderr], ["out\n", "err\n"]);
  assert(end.kind === "answered" && end.signed && end.outcome.exitCode === 3, JSON.stringify(end));
}

const OUTSIDE = "not of the queue";

/** Each puts something where a file of the request is to be. */
const OBSTACLES: Readonly<Record<string, (path: string, vm: Vm) => Promise<unknown>>> = {
  "a link to a file": (path, { home }) => Deno.symlink(`${home}/outside`, path),
  "a link to nothing": (path, { home }) => Deno.symlink(`${home}/made-by-a-link`, path),
  "a second name of a file": (path, { home }) => Deno.link(`${home}/outside`, path),
  "a folder with something in it": (path) => Deno.mkdir(`${path}/sub/folder`, { recursive: true }),
  "a FIFO": (path) => new Deno.Command("mkfifo", { args: [path] }).output(),
};

type PlaceOf = (layout: Layout, id: RequestId) => string;
const PLACES: Readonly<Record<string, PlaceOf>> = {
  "results/ID.out": ({ results }, id) => `${results}/${id}.out`,
  "results/ID.err": ({ results }, id) => `${results}/${id}.err`,
  "results/ID.meta": ({ results }, id) => `${results}/${id}.meta`,
  "results/ID.mac": ({ results }, id) => `${results}/${id}.mac`,
  "results/ID.exit": ({ results }, id) => `${results}/${id}.exit`,
  "queue/.ID.exit": ({ queue }, id) => `${queue}/.${id}.exit`,
  "running/ID": ({ running }, id) => `${running}/${id}`,
};

for (const [what, put] of Object.entries(OBSTACLES)) {
  vmTest(
    `${what} where a file of the request is to be: it is answered, nothing else is written`,
    async (vm) => {
      await Deno.writeTextFile(`${vm.home}/outside`, OUTSIDE);
      const peer = await connectPeer(vm, { credits: 0 });
      for (const [place, pathOf] of Object.entries(PLACES)) {
        const exchange = await scriptRequest(vm, "x");
        await put(pathOf(vm.layout, exchange.id), vm);
        const running = runInProcess(vm, exchange);
        peer.credit(1);
        const request = await peer.nextRequest();
        await peer.output(request.seq, 1, "out\n");
        await peer.output(request.seq, 2, "err\n");
        await peer.finish(request, "done", 3);
        try {
          assertWhole(await running);
        } catch (error) {
          throw new Error(`${what} at ${place}`, { cause: error });
        }
      }
      assertEquals(await Deno.readTextFile(`${vm.home}/outside`), OUTSIDE);
      assertEquals(namesIn(vm.home).includes("made-by-a-link"), false);
      assertEquals(namesIn(vm.layout.running), []);
      await peer.close();
      assertEquals((await peer.ended).stderr, "");
    },
  );
}

vmTest(
  "a folder in cancel/ with something in it cancels that request, and is set aside",
  async (vm) => {
    const exchange = await scriptRequest(vm, "x");
    await Deno.mkdir(`${vm.layout.cancel}/${exchange.id}/sub/folder`, { recursive: true });
    await Deno.mkdir(`${vm.layout.cancel}/20260101-000000-1-00000000/sub`, { recursive: true });
    const running = runInProcess(vm, exchange);
    const peer = await connectPeer(vm);
    const { end } = await running;
    assert(end.kind === "answered" && end.outcome.kind === "cancelled");
    await until("both are out of the way", () => namesIn(vm.layout.cancel).length === 0);
    assertWhole(await serve(vm, peer));
    await peer.close();
  },
);

vmTest(
  "output larger than the disk ends that request; another one goes on beside it",
  async (vm) => {
    const peer = await connectPeer(vm);
    const large = runClient(vm, ["x"]);
    const request = await peer.nextRequest();
    peer.accept(request.seq);
    await peer.output(request.seq, 1, "x".repeat(1_000_000)); // all of it is taken, none is waited for
    await peer.next("cancel");
    assertWhole(await serve(vm, peer)); // the first one's output made room
    await peer.finish(request, "cancelled");
    const { code, stderr } = await large;
    assertEquals(code, 255);
    assertStringIncludes(stderr, "error: the answer could not be stored in this VM");
    assertStringIncludes(stderr, "hint: is the disk full? ~/.qvm-remote/audit.log says why");
    const log = await Deno.readTextFile(vm.layout.audit);
    assertStringIncludes(log, `NOT-STORED id=${request.request.id} "No space left on device`);
    assertWhole(await serve(vm, peer));
    await peer.close();
  },
  { memoryBytes: 500_000 },
);

vmTest("a disk that is full when the outcome comes: the answer is not-stored", async (vm) => {
  const peer = await connectPeer(vm);
  const running = runInProcess(vm, await scriptRequest(vm, "x"));
  const request = await peer.nextRequest();
  await peer.output(request.seq, 1, "x".repeat(100_000));
  const path = `${vm.layout.results}/${request.request.id}.out`;
  const size = () => Deno.statSync(path).size;
  await until("it is stored", () => isPresent(path) && size() === 100_000);
  await Deno.writeFile(`${vm.home}/ballast`, new Uint8Array(500_000)).catch(() => {});
  await peer.finish(request);
  const { end } = await running;
  assert(end.kind === "answered" && end.outcome.kind === "not-stored", JSON.stringify(end));
  await peer.close();
}, { memoryBytes: 500_000 });

vmTest("output that is removed while it grows ends that request", async (vm) => {
  const peer = await connectPeer(vm);
  const exchange = await scriptRequest(vm, "x");
  const running = runInProcess(vm, exchange);
  const request = await peer.nextRequest();
  await peer.output(request.seq, 1, "out\n");
  const path = `${vm.layout.results}/${exchange.id}.out`;
  await until("it is there", () => namesIn(vm.layout.results).includes(`${exchange.id}.out`));
  await Deno.remove(path);
  await peer.finish(request);
  const { end } = await running;
  assert(end.kind === "answered" && end.outcome.kind === "not-stored", JSON.stringify(end));
  assertWhole(await serve(vm, peer));
  await peer.close();
});

/** A mount is what not even root can rename or remove. */
async function mount(path: string): Promise<void> {
  await Deno.copyFile(path, `${path}.source`);
  const args = ["--bind", `${path}.source`, path];
  const { success } = await new Deno.Command("mount", { args }).output();
  assert(success);
}

vmTest("a request that cannot be moved is refused, once, and the rest is served", async (vm) => {
  const exchange = await scriptRequest(vm, "x");
  (await exchange.publish())[Symbol.dispose]();
  const path = `${vm.layout.pending}/${exchange.id}`;
  await Deno.chmod(path, 0o600); // as a client that takes no lock
  await mount(path);
  const peer = await connectPeer(vm);
  const exit = `${exchange.id}.exit`;
  await until("it is answered", () => namesIn(vm.layout.results).includes(exit));
  const meta = await Deno.readFile(`${vm.layout.results}/${exchange.id}.meta`);
  const { kind, reason } = parseMeta(meta);
  assertEquals([kind, reason], ["refused", "not-sent"]);
  for (let round = 0; round < 3; round++) assertWhole(await serve(vm, peer));
  const log = await Deno.readTextFile(vm.layout.audit);
  assertEquals(log.split(`REFUSED-LOCALLY id=${exchange.id}`).length, 2, log);
  await peer.close();
  await new Deno.Command("umount", { args: [path] }).output();
}, { memoryBytes: 8_000_000 });

vmTest(
  "what lies in the way of the history, of refused/ and of the name is in nobody's way",
  async (vm) => {
    const { layout } = vm;
    const old = "20260101-000000-1-00000000";
    await Deno.writeTextFile(`${layout.results}/${old}.exit`, "0");
    await Deno.utime(`${layout.results}/${old}.exit`, 0, 0);
    await Deno.writeTextFile(layout.history, "no folder");
    await Deno.writeTextFile(`${vm.home}/outside`, OUTSIDE);
    await Deno.symlink(vm.home, layout.refused);
    await Deno.remove(layout.name);
    await Deno.mkdir(`${layout.name}/sub`, { recursive: true });
    await Deno.symlink("/etc/passwd", `${layout.pending}/20260101-000000-2-00000000`);
    const peer = await connectPeer(vm);
    assertWhole(await serve(vm, peer));
    await until("the name is there", () => Deno.lstatSync(layout.name).isFile);
    await until("the link is set aside", () => Deno.lstatSync(layout.refused).isDirectory);
    assertStringIncludes(await Deno.readTextFile(layout.audit), `TIDY "id=${old}`);
    const running = runClient(vm, ["x"]); // its command's end stands, though the history cannot be
    await peer.finish(await peer.nextRequest(), "done", 4);
    const { code, stderr } = await running;
    assertEquals(code, 4);
    assertStringIncludes(stderr, "qvm-remote: warning: not in the history: ");
    await peer.close();
  },
);
