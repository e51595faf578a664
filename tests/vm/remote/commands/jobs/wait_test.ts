// SPDX-License-Identifier: GPL-2.0-or-later
/** --detach and `qvm-remote wait`: the answer is fetched later, and believed no less. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { makeAuthKeyText } from "../../../../../shared/protocol/auth_key.ts";
import { parseRequestId, type RequestId } from "../../../../../shared/protocol/request_id.ts";
import { archiveAnswers, HISTORY_DAYS, sweep } from "../../../../../vm/remote/files/sweep.ts";
import { detachedPath, historyFolder, resultPath } from "../../../../../vm/remote/files/layout.ts";
import { writeKey } from "../../../../../vm/remote/files/key_file.ts";
import { connectPeer, type Dom0Peer } from "../../dom0_peer.ts";
import { client, namesIn, runClient, until, type Vm, vmTest } from "../../fixture.ts";

/** Sends a request and leaves it. */
async function leave(vm: Vm, args: readonly string[]): Promise<RequestId> {
  const { code, stdout, stderr } = await runClient(vm, ["--detach", ...args]);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^[0-9a-f-]+\n$/);
  return parseRequestId(stdout.trim());
}

async function answer(peer: Dom0Peer, exitCode = 3): Promise<void> {
  const request = await peer.nextRequest();
  peer.accept(request.seq);
  await peer.output(request.seq, 1, "out\n");
  await peer.output(request.seq, 2, "err\n");
  await peer.finish(request, "done", exitCode);
  peer.credit(1);
}

const fetched = { code: 3, stdout: "out\n", stderr: "err\n" };

async function waited(vm: Vm, id: RequestId, ...more: string[]) {
  const { code, stdout, stderr } = await runClient(vm, ["wait", id, ...more]);
  return { code, stdout, stderr };
}

vmTest("a request that was left goes on, and its answer is fetched once", async (vm) => {
  const peer = await connectPeer(vm);
  const id = await leave(vm, ["echo", "x"]);
  const { mode } = await Deno.stat(detachedPath(vm.layout, id));
  assertEquals((mode ?? 0) & 0o777, 0o600);
  await answer(peer); // though its client has ended
  assertEquals(await waited(vm, id), fetched);
  assertEquals(namesIn(vm.layout.detached), []);
  assertEquals(namesIn(vm.layout.results), []);
  const again = await waited(vm, id);
  assertEquals(again.code, 1);
  assertStringIncludes(again.stderr, `no job any more: ${id}`);
  assertStringIncludes(again.stderr, `its answer was fetched: "qvm-remote history show ${id}"`);
  assertMatch((await runClient(vm, ["history", "show", id])).stdout, /command {3}echo x\n/);
  await peer.close();
});

vmTest(
  "it waits for an answer that is not there yet, and says that a person is asked",
  async (vm) => {
    const peer = await connectPeer(vm);
    const id = await leave(vm, ["x"]);
    const request = await peer.nextRequest();
    peer.accept(request.seq);
    peer.park(request.seq);
    const child = client(vm, ["wait", id]).spawn();
    const stderr = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
    assertEquals((await stderr.read()).value, "qvm-remote: waiting for approval in dom0 ...\n");
    const other = await waited(vm, id);
    assertEquals(other.code, 1);
    assertStringIncludes(other.stderr, `another "qvm-remote wait" waits for ${id}`);
    peer.approve(request.seq);
    await peer.finish(request, "done", 7);
    assertEquals((await child.status).code, 7);
    await stderr.cancel();
    await child.stdout.cancel();
    await peer.close();
  },
);

vmTest("leaving the wait leaves the request: it can be waited for again", async (vm) => {
  const peer = await connectPeer(vm);
  const id = await leave(vm, ["x"]);
  const late = await waited(vm, id, "--timeout", "1");
  assertEquals(late.code, 124);
  assertStringIncludes(late.stderr, `no answer within 1s; the request goes on (id=${id})`);
  const child = client(vm, ["wait", id]).spawn();
  await until("it waits", async () => !await isFree(detachedPath(vm.layout, id)));
  child.kill("SIGINT");
  const left = await child.output();
  assertEquals(left.code, 130);
  assertStringIncludes(new TextDecoder().decode(left.stderr), "interrupted; the request goes on");
  assertEquals(namesIn(vm.layout.cancel), []);
  await answer(peer);
  assertEquals(await waited(vm, id), fetched);
  await peer.close();
});

/** Whether nobody holds the lock of the file. */
async function isFree(path: string): Promise<boolean> {
  using file = await Deno.open(path, { write: true });
  return (file as { tryLockSync?(exclusive: boolean): boolean }).tryLockSync?.(true) ?? true;
}

vmTest("wait --cancel ends it in dom0", async (vm) => {
  const peer = await connectPeer(vm);
  const id = await leave(vm, ["x"]);
  const request = await peer.nextRequest();
  peer.accept(request.seq);
  const running = waited(vm, id, "--cancel");
  await peer.next("cancel");
  await peer.finish(request, "cancelled");
  assertEquals((await running).code, 130);
  await peer.close();
});

vmTest("an answer that went to the history is fetched from there, with all checks", async (vm) => {
  const first = await connectPeer(vm);
  const ids = [await leave(vm, ["x"]), await leave(vm, ["y"])] as const;
  await answer(first);
  await answer(first);
  await first.close();
  assertEquals(await archiveAnswers(vm.layout, Date.now() + 1000), 2);
  assertEquals(namesIn(vm.layout.results), []);
  assertEquals(await waited(vm, ids[0]), fetched);
  await Deno.writeTextFile(`${historyFolder(vm.layout, ids[1])}/out`, "other\n");
  const changed = await waited(vm, ids[1]);
  assertEquals(changed.code, 255);
  assertStringIncludes(changed.stderr, "the output is not what dom0 signed");
});

vmTest("an answer of another request is not believed", async (vm) => {
  const peer = await connectPeer(vm);
  const [mine, other] = [await leave(vm, ["x"]), await leave(vm, ["y"])];
  await answer(peer);
  await answer(peer);
  for (const part of ["out", "err", "meta", "mac", "exit"] as const) {
    await Deno.rename(resultPath(vm.layout, other, part), resultPath(vm.layout, mine, part));
  }
  const { code, stderr } = await waited(vm, mine);
  assertEquals(code, 255);
  assertStringIncludes(stderr, "the answer does not belong to this request");
  await peer.close();
});

vmTest("an answer under another key is not believed", async (vm) => {
  const peer = await connectPeer(vm);
  const id = await leave(vm, ["x"]);
  await answer(peer);
  const key = await Deno.readTextFile(vm.layout.key);
  await writeKey(vm.layout, makeAuthKeyText());
  const { code, stderr } = await waited(vm, id);
  assertEquals(code, 255);
  assertStringIncludes(stderr, "not signed with this VM's key");
  await writeKey(vm.layout, key);
  assertEquals(await waited(vm, id), fetched, "nothing was lost");
  await peer.close();
});

vmTest("what was left keeps its form: a value, an explanation", async (vm) => {
  const peer = await connectPeer(vm);
  const { stdout } = await runClient(vm, ["op", "vm.info", "--json", "--detach"]);
  const value: { id: string } = JSON.parse(stdout); // a program that asked for JSON gets it
  const explained = await leave(vm, ["--explain", "x"]);
  for (const json of ['{ "label": "red" }', '{"decision":"ask"}']) {
    const request = await peer.nextRequest();
    await peer.output(request.seq, 1, json);
    await peer.finish(request);
    peer.credit(1);
  }
  assertEquals((await waited(vm, parseRequestId(value.id))).stdout, '{"label":"red"}\n');
  assertEquals((await waited(vm, explained)).stdout, "decision  ask\n");
  await peer.close();
});

vmTest("queue clean leaves what somebody means to fetch", async (vm) => {
  const id = await leave(vm, ["x"]);
  await runClient(vm, ["queue", "clean"]);
  assertEquals(namesIn(vm.layout.pending), [id]);
  const peer = await connectPeer(vm);
  await answer(peer);
  assertEquals(await waited(vm, id), fetched);
  await peer.close();
});

vmTest("what could not be put into the queue leaves nothing to wait for", async (vm) => {
  await Deno.remove(vm.layout.pending);
  await Deno.writeTextFile(vm.layout.pending, "not a folder");
  const { code, stdout, stderr } = await runClient(vm, ["--detach", "true"]);
  assertEquals([code, stdout], [1, ""]);
  assertStringIncludes(stderr, "qvm-remote: error: ");
  assertEquals(namesIn(vm.layout.detached), []);
});

vmTest("what nobody fetched in a month cannot be fetched", async (vm) => {
  const id = await leave(vm, ["x"]);
  const day = 24 * 3600_000;
  await sweep(vm.layout, () => {}, Date.now() + (HISTORY_DAYS - 1) * day);
  assertEquals(namesIn(vm.layout.detached), [id]);
  await sweep(vm.layout, () => {}, Date.now() + (HISTORY_DAYS + 2) * day);
  assertEquals(namesIn(vm.layout.detached), []);
});

vmTest("what cannot be waited for says so", async (vm) => {
  const id = "20261122-091500-4242-a1b2c3d4";
  const unknown = await runClient(vm, ["wait", id]);
  assertEquals(unknown.code, 1);
  assertStringIncludes(unknown.stderr, `no such job: ${id}`);
  assertStringIncludes(unknown.stderr, "jobs are what was sent with --detach from this VM");
  assertStringIncludes((await runClient(vm, ["wait", "x"])).stderr, 'not an id: "x"');
  await Deno.mkdir(vm.layout.detached);
  for (const text of ["", "{}", '{"nonce":1}', "x".repeat(2000)]) {
    await Deno.writeTextFile(`${vm.layout.detached}/${id}`, text);
    assertEquals((await runClient(vm, ["wait", id])).code, 1);
  }
});
