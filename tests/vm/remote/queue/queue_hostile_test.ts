// SPDX-License-Identifier: GPL-2.0-or-later
/** What may lie in a queue that anything in the VM can write to. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { utf8 } from "../../../../shared/protocol/bytes.ts";
import { MAX_ENVELOPE_BYTES } from "../../../../shared/protocol/limits.ts";
import { parseMeta } from "../../../../shared/protocol/outcome.ts";
import { makeRequestId, type RequestId } from "../../../../shared/protocol/request_id.ts";
import { MAX_REFUSED_ENTRIES } from "../../../../vm/remote/files/set_aside.ts";
import { connectPeer, type Dom0Peer } from "../dom0_peer.ts";
import { namesIn, runClient, until, type Vm, vmTest } from "../fixture.ts";
import { runInProcess, scriptRequest } from "../in_process.ts";

let made = 0;
const newId = (): RequestId => makeRequestId(Date.now(), Deno.pid, made++);

/** Requests go on whatever else there is. */
async function assertServes(vm: Vm, peer: Dom0Peer): Promise<void> {
  const running = runInProcess(vm, await scriptRequest(vm, "x"));
  await peer.finish(await peer.nextRequest());
  peer.credit(1);
  assertEquals((await running).end.kind, "answered");
}

async function assertRefused(vm: Vm, id: RequestId, why: string): Promise<void> {
  const path = (part: string) => `${vm.layout.results}/${id}.${part}`;
  const isThere = () => namesIn(vm.layout.results).includes(`${id}.exit`);
  await until(`${id} is refused`, isThere); // of a FIFO the watch says nothing
  assertEquals(await Deno.readTextFile(path("exit")), "126");
  const outcome = parseMeta(await Deno.readFile(path("meta")));
  assertEquals([outcome.kind, outcome.reason, outcome.id], ["refused", "bad-body", id]);
  assertStringIncludes(await Deno.readTextFile(path("err")), why);
  const line = `REFUSED-LOCALLY id=${id} "${why}`;
  await until(
    `"${line}" is logged`,
    async () => (await Deno.readTextFile(vm.layout.audit)).includes(line),
  );
  assertEquals(namesIn(vm.layout.results).includes(`${id}.mac`), false);
  await until(
    "it was set aside",
    () => namesIn(vm.layout.refused).some((name) => name.startsWith(id)),
  );
}

/** Things with the name of a request that are none; each makes one, given its path. */
const NO_REQUESTS: readonly (readonly [why: string, make: (path: string, vm: Vm) => unknown])[] = [
  ["not a regular file", (path) => Deno.mkdir(`${path}/sub/folder`, { recursive: true })],
  ["not a regular file", (path) => Deno.symlink("/etc/passwd", path)],
  ["not a regular file", (path) => new Deno.Command("mkfifo", { args: [path] }).output()],
  [`${400 * 1024 * 1024} bytes`, async (path, { layout }) => {
    await Deno.writeFile(`${layout.queue}/.big`, new Uint8Array(0));
    await Deno.truncate(`${layout.queue}/.big`, 400 * 1024 * 1024);
    await Deno.rename(`${layout.queue}/.big`, path);
  }],
  [`${MAX_ENVELOPE_BYTES + 1} bytes`, async (path, { layout }) => {
    await Deno.writeFile(`${layout.queue}/.big`, new Uint8Array(MAX_ENVELOPE_BYTES + 1));
    await Deno.rename(`${layout.queue}/.big`, path);
  }],
  ["bad-envelope: header", async (path, { layout }) => {
    await Deno.writeFile(`${layout.queue}/.bad`, utf8("qvm-remote 2\nnothing of sense\n\n"));
    await Deno.rename(`${layout.queue}/.bad`, path);
  }],
  ["the id in it is another one", async (path, vm) => {
    const exchange = await scriptRequest(vm, "x");
    (await exchange.publish())[Symbol.dispose]();
    await Deno.rename(`${vm.layout.pending}/${exchange.id}`, path);
  }],
];

vmTest(
  "what has a request's name and is none is refused, before and while connected",
  async (vm) => {
    const before = await makeAll(vm);
    const peer = await connectPeer(vm);
    const after = await makeAll(vm);
    for (const [id, why] of [...before, ...after]) await assertRefused(vm, id, why);
    await assertServes(vm, peer);
    assertEquals(namesIn(vm.layout.pending), []);
    assertEquals(namesIn(vm.layout.running), []);
    await peer.close();
  },
);

async function makeAll(vm: Vm): Promise<readonly (readonly [id: RequestId, why: string])[]> {
  const ids: (readonly [RequestId, string])[] = [];
  for (const [why, make] of NO_REQUESTS) {
    const id = newId();
    await make(`${vm.layout.pending}/${id}`, vm);
    ids.push([id, why]);
  }
  return ids;
}

vmTest("a copy of a request that has its answer is not sent again", async (vm) => {
  const peer = await connectPeer(vm);
  const exchange = await scriptRequest(vm, "x");
  const running = runInProcess(vm, exchange);
  const request = await peer.nextRequest();
  const path = `${vm.layout.running}/${exchange.id}`;
  await Deno.copyFile(path, `${vm.layout.queue}/copy`);
  await peer.finish(request);
  await running;
  await Deno.rename(`${vm.layout.queue}/copy`, `${vm.layout.pending}/${exchange.id}`);
  await assertServes(vm, peer);
  await until("it is out of the way", () => namesIn(vm.layout.pending).length === 0);
  assertStringIncludes(await Deno.readTextFile(vm.layout.audit), '"answered before"');
  await peer.close();
});

vmTest(
  "names that are no ids, and no text, stay where they are and are logged once",
  async (vm) => {
    const odd = [
      "x",
      ".hidden",
      "a b",
      "\x1b]0;t\x07",
      "é",
      "ping-1",
      "20260101-000000-1-zzzzzzzz",
    ];
    for (const name of odd) await Deno.writeTextFile(`${vm.layout.pending}/${name}`, "rm -rf /");
    await new Deno.Command("bash", {
      args: ["-c", "touch $'bad\\xff' $'\\xfe'; mkdir folder"],
      cwd: vm.layout.pending,
    }).output();
    const peer = await connectPeer(vm);
    await assertServes(vm, peer);
    await new Deno.Command("bash", { // now while it watches: such a name makes the watch throw
      args: ["-c", "for i in $(seq 50); do touch $'late\\xff'$i; done"],
      cwd: vm.layout.pending,
    }).output();
    await assertServes(vm, peer);
    await assertServes(vm, peer);
    const log = await Deno.readTextFile(vm.layout.audit);
    assert(/^[\x20-\x7e\n]*$/.test(log), JSON.stringify(log));
    assertStringIncludes(log, 'REFUSED-LOCALLY name="a b" not a request');
    assertEquals(log.match(/REFUSED-LOCALLY name="x"/g)?.length, 1);
    await peer.close();
    assertEquals((await peer.ended).stderr, "");
  },
);

vmTest("an odd name in results/ does not stop a client from seeing its answer", async (vm) => {
  const peer = await connectPeer(vm);
  const running = runClient(vm, ["x"]);
  const request = await peer.nextRequest();
  await new Deno.Command("bash", {
    args: ["-c", "for i in $(seq 30); do touch $'odd\\xff'$i; done"],
    cwd: vm.layout.results,
  }).output();
  await peer.finish(request);
  assertEquals((await running).code, 0);
  await peer.close();
});

vmTest(`no more than ${MAX_REFUSED_ENTRIES} refused entries are kept`, async (vm) => {
  for (let i = 0; i < MAX_REFUSED_ENTRIES + 50; i++) {
    await Deno.symlink("/", `${vm.layout.pending}/${newId()}`);
  }
  const peer = await connectPeer(vm);
  await assertServes(vm, peer);
  await until("all are dealt with", () => namesIn(vm.layout.pending).length === 0);
  assertEquals(namesIn(vm.layout.refused).length, MAX_REFUSED_ENTRIES);
  await peer.close();
});

/** Peak memory of a process so far. */
async function peakBytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmHWM:\s+([0-9]+) kB/.exec(status)?.[1]) * 1024;
}

vmTest("100,000 foreign files and 5,000 requests: served in order, memory bounded", async (vm) => {
  await new Deno.Command("bash", {
    args: ["-c", "seq -f 'junk%.0f' 100000 | xargs touch"],
    cwd: vm.layout.pending,
  }).output();
  // Requests as files: 5,000 signatures are not what is tested.
  const count = 5000;
  const ids = Array.from({ length: count }, newId).sort();
  const envelope = await envelopeText(vm);
  for (const id of ids) {
    Deno.writeTextFileSync(`${vm.layout.pending}/${id}`, envelope.replace("ID", id));
  }
  const peer = await connectPeer(vm, { credits: 32 });
  let lastId = "";
  for (let taken = 0; taken < count; taken++) {
    const request = await peer.nextUnchecked();
    assert(request.id > lastId, "in order");
    lastId = request.id;
    peer.refuseUnchecked(request, "bad-mac");
    peer.credit(1);
  }
  await until("all are answered", () => namesIn(vm.layout.running).length === 0);
  await assertServes(vm, peer);
  const bytes = await peakBytes(peer.pid);
  assert(bytes < 400 * 1024 * 1024, `${bytes} bytes`);
  await peer.close();
}, Deno.uid() === 0 ? { memoryBytes: 1024 ** 3 } : {});

/** A well-formed envelope whose id is the word ID; its signature is wrong. */
async function envelopeText(vm: Vm): Promise<string> {
  const exchange = await scriptRequest(vm, "x");
  (await exchange.publish())[Symbol.dispose]();
  const text = await Deno.readTextFile(`${vm.layout.pending}/${exchange.id}`);
  await Deno.remove(`${vm.layout.pending}/${exchange.id}`);
  return text.replace(exchange.id, "ID");
}
