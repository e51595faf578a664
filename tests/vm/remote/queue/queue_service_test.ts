// SPDX-License-Identifier: GPL-2.0-or-later
/** The queue service: killed at every step of a request, twice at once, on a full disk. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { toHex } from "../../../../shared/protocol/bytes.ts";
import type { RequestId } from "../../../../shared/protocol/request_id.ts";
import { UNRELIABLE_AFTER } from "../../../../shared/io/folder_watch.ts";
import { historyFolder } from "../../../../vm/remote/files/layout.ts";
import { connectPeer, type Dom0Peer, type PeerRequest } from "../dom0_peer.ts";
import { namesIn, queueService, runClient, until, type Vm, vmTest } from "../fixture.ts";
import { runInProcess, scriptRequest } from "../in_process.ts";

/** Ends the request as dom0 would, and looks at what its client got. */
async function finishAndCheck(
  vm: Vm,
  peer: Dom0Peer,
  running: ReturnType<typeof runInProcess>,
): Promise<void> {
  const request = await peer.nextRequest();
  peer.accept(request.seq);
  await peer.output(request.seq, 1, "first second");
  await peer.output(request.seq, 2, "problem");
  await peer.finish(request, "done", 5);
  const { end, stdout, stderr } = await running;
  assertEquals([stdout, stderr], ["first second", "problem"]);
  assert(end.kind === "answered" && end.signed);
  assertEquals([end.outcome.exitCode, end.unconfirmedBytes], [5, 0]);
  const { id } = request.request;
  assertEquals(namesIn(vm.layout.results).length, 5);
  assertEquals(await Deno.readTextFile(`${vm.layout.results}/${id}.exit`), "5");
  for (const folder of ["pending", "running", "cancel"] as const) {
    assertEquals(namesIn(vm.layout[folder]), [], folder);
  }
}

/** How far a request comes before the service is killed. */
const STEPS: readonly (readonly [name: string, reach: (peer: Dom0Peer) => Promise<void>])[] = [
  ["it was sent", async (peer) => void await peer.nextRequest()],
  ["it was accepted", async (peer) => peer.accept((await peer.nextRequest()).seq)],
  ["half the output came", async (peer) => {
    const { seq } = await peer.nextRequest();
    peer.accept(seq);
    await peer.output(seq, 1, "first ");
    await peer.next("room");
  }],
  ["all the output came", async (peer) => {
    const { seq } = await peer.nextRequest();
    await peer.output(seq, 1, "first second");
    await peer.next("room");
    await peer.output(seq, 2, "problem");
    await peer.next("room");
  }],
];

for (const [name, reach] of STEPS) {
  vmTest(`killed after ${name}: one answer, nothing printed twice`, async (vm) => {
    const first = await connectPeer(vm);
    const running = runInProcess(vm, await scriptRequest(vm, "x"));
    await reach(first);
    await first.kill();
    const second = await connectPeer(vm);
    await finishAndCheck(vm, second, running);
    await second.close();
  });
}

vmTest("killed before it took the request: the next one takes it", async (vm) => {
  const first = await connectPeer(vm, { credits: 0 });
  const running = runInProcess(vm, await scriptRequest(vm, "x"));
  await until("it is in the queue", () => namesIn(vm.layout.pending).length === 1);
  await first.kill();
  assertEquals(namesIn(vm.layout.pending).length, 1);
  const second = await connectPeer(vm);
  await finishAndCheck(vm, second, running);
  await second.close();
});

vmTest("killed between rename and send: the next one sends it", async (vm) => {
  const exchange = await scriptRequest(vm, "x");
  const running = runInProcess(vm, exchange);
  await until("it is in the queue", () => namesIn(vm.layout.pending).length === 1);
  await Deno.rename(`${vm.layout.pending}/${exchange.id}`, `${vm.layout.running}/${exchange.id}`);
  const peer = await connectPeer(vm);
  await finishAndCheck(vm, peer, running);
  await peer.close();
});

vmTest("killed between meta and exit: the outcome comes again and makes it whole", async (vm) => {
  const first = await connectPeer(vm);
  const exchange = await scriptRequest(vm, "x");
  const running = runInProcess(vm, exchange);
  await first.nextRequest();
  await first.kill();
  await Deno.writeTextFile(`${vm.layout.results}/${exchange.id}.out`, "first second");
  await Deno.writeTextFile(`${vm.layout.results}/${exchange.id}.meta`, "id=half");
  await Deno.writeTextFile(`${vm.layout.queue}/.${exchange.id}.exit`, "");
  const second = await connectPeer(vm);
  await finishAndCheck(vm, second, running);
  await second.close();
});

/** Runs a request to its end, and puts its file back into running/, as if it had not gone. */
async function answeredAndLeft(vm: Vm): Promise<RequestId> {
  const first = await connectPeer(vm);
  const exchange = await scriptRequest(vm, "x");
  const running = runInProcess(vm, exchange);
  await until("it is taken", () => namesIn(vm.layout.running).length === 1);
  const envelope = await Deno.readFile(`${vm.layout.running}/${exchange.id}`);
  await finishAndCheck(vm, first, running);
  await first.close();
  await Deno.writeFile(`${vm.layout.running}/${exchange.id}`, envelope);
  return exchange.id;
}

async function snapshot(folder: string): Promise<string> {
  const parts = namesIn(folder).map(async (name) => {
    const { mtime } = await Deno.stat(`${folder}/${name}`);
    return `${name} ${mtime?.getTime()} ${toHex(await Deno.readFile(`${folder}/${name}`))}`;
  });
  return (await Promise.all(parts)).join("\n");
}

/** The same answer again, as dom0 gives it when it had no ack. */
async function answerAgain(vm: Vm): Promise<PeerRequest> {
  const peer = await connectPeer(vm);
  const request = await peer.nextRequest();
  await peer.output(request.seq, 1, "first second");
  await peer.output(request.seq, 2, "problem");
  await peer.finish(request, "done", 5);
  await peer.close();
  assertEquals(namesIn(vm.layout.running), []);
  return request;
}

vmTest("killed between exit and ack: acknowledged, the answer left as it is", async (vm) => {
  const id = await answeredAndLeft(vm);
  const before = await snapshot(vm.layout.results);
  assertEquals((await answerAgain(vm)).request.id, id);
  assertEquals(await snapshot(vm.layout.results), before);
});

vmTest("the same, when the client has taken its answer: no second answer appears", async (vm) => {
  const id = await answeredAndLeft(vm);
  const folder = historyFolder(vm.layout, id);
  await Deno.mkdir(folder, { recursive: true });
  for (const name of namesIn(vm.layout.results)) {
    await Deno.rename(`${vm.layout.results}/${name}`, `${folder}/${name.split(".")[1]}`);
  }
  await answerAgain(vm);
  assertEquals(namesIn(vm.layout.results), []);
});

vmTest(
  "killed at random, again and again, under ten requests: ten answers, each once",
  async (vm) => {
    const all = Promise.all(
      Array.from(
        { length: 10 },
        async (_, i) => await runInProcess(vm, await scriptRequest(vm, `${i}`)),
      ),
    );
    let done = false;
    all.finally(() => done = true);
    for (let round = 0; !done; round++) {
      const peer = await connectPeer(vm, { credits: 4 });
      const serving = serveDigits(peer).catch(() => {});
      const delay = new Promise((resolve) => setTimeout(resolve, 5 + (round * 7) % 40));
      await (round < 12 ? delay : Promise.race([all, peer.ended]));
      await peer.kill();
      await serving;
    }
    for (const [i, { end, stdout }] of (await all).entries()) {
      assert(end.kind === "answered" && end.signed, `${i}: ${JSON.stringify(end)}`);
      assertEquals([stdout, end.outcome.exitCode], [`${i}`.repeat(1000), i]);
    }
    assertEquals(namesIn(vm.layout.results).length, 50);
  },
);

/** Answers with a thousand times the script's digit, some of it at a time. */
async function serveDigits(peer: Dom0Peer): Promise<void> {
  for (;;) {
    const request = await peer.nextRequest();
    const digit = new TextDecoder().decode(request.request.body);
    peer.accept(request.seq);
    for (let i = 0; i < 4; i++) await peer.output(request.seq, 1, digit.repeat(250));
    peer.finish(request, "done", Number(digit)).then(() => peer.credit(1)).catch(() => {});
  }
}

vmTest("a burst of requests, more than the watch can tell of, is taken as a whole", async (vm) => {
  const peer = await connectPeer(vm, { credits: 4 });
  const count = 8 * UNRELIABLE_AFTER;
  const taken: string[] = [];
  const serving = (async () => {
    while (taken.length < count) {
      const request = await peer.nextRequest();
      taken.push(request.request.id);
      await peer.finish(request);
      peer.credit(1);
    }
  })();
  const published: string[] = [];
  using clients = new DisposableStack();
  for (let i = 0; i < count; i++) {
    const exchange = await scriptRequest(vm, "x");
    clients.use(await exchange.publish());
    published.push(exchange.id);
  }
  await serving;
  assertEquals(taken.toSorted(), published.toSorted());
  await peer.close();
});

vmTest("no more requests than credits; what waits goes in order of its name", async (vm) => {
  const exchanges = [];
  for (let i = 0; i < 5; i++) exchanges.push(await scriptRequest(vm, "x"));
  using clients = new DisposableStack();
  for (const exchange of exchanges.toReversed()) clients.use(await exchange.publish());
  const peer = await connectPeer(vm, { credits: 2 });
  const ids = exchanges.map(({ id }) => id).sort();
  const first = await peer.nextRequest();
  assertEquals([first.request.id, (await peer.nextRequest()).request.id], ids.slice(0, 2));
  assertEquals(namesIn(vm.layout.pending), ids.slice(2));
  await peer.finish(first);
  peer.credit(1);
  assertEquals((await peer.nextRequest()).request.id, ids[2] ?? "");
  await peer.close();
});

vmTest("a second service waits for the first to end, then serves", async (vm) => {
  const first = await connectPeer(vm);
  const second = connectPeer(vm);
  const running = runInProcess(vm, await scriptRequest(vm, "x"));
  await first.nextRequest();
  await first.close();
  const peer = await second;
  await finishAndCheck(vm, peer, running);
  await peer.close();
});

vmTest("the service ends with its stdin, and with a peer that breaks the protocol", async (vm) => {
  const peer = await connectPeer(vm);
  peer.ping();
  await peer.next("alive");
  assertEquals((await peer.close()).code, 0);
  for (const bytes of [[0xff, 0xff, 0xff, 0xff, 5], [0, 0, 0, 1, 0x77], [0, 0, 0, 1, 4]]) {
    const hostile = await connectPeer(vm);
    await hostile.raw(new Uint8Array(bytes));
    const { status, stderr } = await hostile.ended;
    assertEquals(status.code, 1);
    assertStringIncludes(stderr, "qvmremote.Queue: error: session over: ");
  }
  const cut = await connectPeer(vm);
  await cut.raw(new Uint8Array([0, 0, 0]));
  assertEquals((await cut.close()).code, 1);
  const log = await Deno.readTextFile(vm.layout.audit);
  assertStringIncludes(log, 'SESSION end "end of stream"');
  assertStringIncludes(log, 'SESSION end "too-long');
});

vmTest("only dom0 may call it", async (vm) => {
  for (const domain of ["work", "", "dom0x"]) {
    const child = queueService(vm, [], { QREXEC_REMOTE_DOMAIN: domain }).spawn();
    const { code, stderr, stdout } = await child.output();
    await child.stdin.close().catch(() => {});
    assertEquals([code, stdout.length], [1, 0]);
    assertStringIncludes(new TextDecoder().decode(stderr), "only dom0 may call this service");
  }
});

vmTest("the folders going away ends the session", async (vm) => {
  const peer = await connectPeer(vm);
  await Deno.remove(vm.layout.queue, { recursive: true });
  const { status, stderr } = await peer.ended;
  assertEquals(status.code, 1);
  // Told by the watch, or met while the folder was read.
  assert(/the queue's folders were removed|No such file or directory/.test(stderr), stderr);
});

vmTest("a full disk: the client says so, and leaves nothing behind", async (vm) => {
  await Deno.writeFile(`${vm.home}/ballast`, new Uint8Array(490_000)).catch(() => {});
  const { code, stderr } = await runClient(vm, ["x".repeat(5000)]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "No space left on device");
  assertStringIncludes(stderr, "hint: the disk is full");
  assertEquals(namesIn(vm.layout.pending), []);
  assertEquals(namesIn(vm.layout.queue).filter((name) => name.startsWith(".")), []);
}, { memoryBytes: 500_000 });
