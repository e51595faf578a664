// SPDX-License-Identifier: GPL-2.0-or-later
/** Jobs: what was sent with --detach is listed, looked at, cancelled, from any program of this VM. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parseRequestId, type RequestId } from "../../../../../shared/protocol/request_id.ts";
import { detachedPath, resultPath } from "../../../../../vm/remote/files/layout.ts";
import { archiveAnswers } from "../../../../../vm/remote/files/sweep.ts";
import { connectPeer, type Dom0Peer, type PeerRequest } from "../../dom0_peer.ts";
import { client, namesIn, runClient, until, type Vm, vmTest } from "../../fixture.ts";

async function detach(vm: Vm, ...args: string[]): Promise<RequestId> {
  const { code, stdout, stderr } = await runClient(vm, ["--detach", ...args]);
  assertEquals([code, stderr], [0, ""]);
  return parseRequestId(stdout.trim());
}

interface Listed {
  readonly id: string;
  readonly state: string;
  readonly outcome: string | null;
  readonly exit: number | null;
  readonly stdout_bytes: number;
  readonly command: string;
}

async function listed(vm: Vm): Promise<readonly Listed[]> {
  return JSON.parse((await runClient(vm, ["jobs", "--json"])).stdout).jobs;
}

async function stateOf(vm: Vm, id: RequestId): Promise<string> {
  return (await listed(vm)).find((job) => job.id === id)?.state ?? "not listed";
}

const isSize = (vm: Vm, id: RequestId, bytes: number) => () =>
  Promise.resolve(
    namesIn(vm.layout.results).includes(`${id}.out`) &&
      Deno.statSync(resultPath(vm.layout, id, "out")).size === bytes,
  );

vmTest("jobs says how far each is, from queued to its end", async (vm) => {
  assertEquals((await runClient(vm, ["jobs"])).stdout, "no jobs\n");
  const id = await detach(vm, "qvm-backup", "/mnt");
  assertEquals(await stateOf(vm, id), "queued");
  const peer = await connectPeer(vm);
  const request = await peer.nextRequest();
  peer.accept(request.seq);
  assertEquals(await stateOf(vm, id), "running");
  peer.park(request.seq);
  await until("it is shown", async () => await stateOf(vm, id) === "approval");
  peer.approve(request.seq);
  await peer.output(request.seq, 1, "half\n");
  await until("output is here", isSize(vm, id, 5));
  const [running] = await listed(vm);
  assertEquals([running?.state, running?.outcome, running?.stdout_bytes], ["running", null, 5]);
  await peer.finish(request, "done", 3);
  const [ended] = await listed(vm);
  assertEquals(
    [ended?.state, ended?.outcome, ended?.exit, ended?.command],
    ["ended", "done", 3, "qvm-backup /mnt"],
  );
  const text = (await runClient(vm, ["jobs"])).stdout;
  assertMatch(
    text,
    new RegExp(`^ID +STATE +EXIT +OUTPUT  COMMAND\n${id} +done +3 +5 B  qvm-backup /mnt\n$`),
  );
  assertEquals((await runClient(vm, ["wait", id])).code, 3);
  assertEquals(await listed(vm), [], "what was fetched is none any more");
  await peer.close();
});

vmTest(
  "attach shows the output from its beginning or a byte, to any number at once",
  async (vm) => {
    const peer = await connectPeer(vm);
    const id = await detach(vm, "x");
    const request = await peer.nextRequest();
    peer.accept(request.seq);
    await peer.output(request.seq, 1, "first\n");
    await until("output is here", isSize(vm, id, 6));
    const lookers = [["attach", id], ["attach", id, "--from", "3"], ["wait", id]].map((args) =>
      client(vm, args).spawn()
    );
    const [whole, part, waiting] = lookers.map((child) => {
      const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
      return { child, output };
    });
    assert(whole !== undefined && part !== undefined && waiting !== undefined);
    for (const { output } of [whole, waiting]) {
      assertEquals((await output.read()).value, "first\n");
    }
    assertEquals((await part.output.read()).value, "st\n");
    await peer.output(request.seq, 1, "last\n");
    await peer.output(request.seq, 2, "err\n");
    await peer.finish(request, "done", 7);
    for (const { child, output } of [whole, part, waiting]) {
      assertEquals((await output.read()).value, "last\n");
      assertEquals(await new Response(child.stderr).text(), "err\n");
      assertEquals((await child.status).code, 7);
      await output.cancel();
    }
    await peer.close();
  },
);

/** A request that has its whole answer. */
async function endedJob(vm: Vm): Promise<RequestId> {
  const peer = await connectPeer(vm);
  const id = await detach(vm, "x");
  const request = await peer.nextRequest();
  await peer.output(request.seq, 1, "0123456789");
  await peer.finish(request, "done", 5);
  await peer.close();
  return id;
}

vmTest("attach takes nothing away, and believes no less than wait", async (vm) => {
  const id = await endedJob(vm);
  for (let round = 0; round < 2; round++) {
    const { code, stdout, stderr } = await runClient(vm, ["attach", id]);
    assertEquals([code, stdout, stderr], [5, "0123456789", ""]);
    if (round === 0) assertEquals(await archiveAnswers(vm.layout, Date.now() + 1000), 1);
  }
  assertEquals((await runClient(vm, ["attach", id, "--from", "10"])).stdout, "");
  const beyond = await runClient(vm, ["attach", id, "--from", "11"]);
  assertEquals(beyond.code, 1);
  assertStringIncludes(beyond.stderr, "--from 11 is beyond the end: the output has 10 bytes");
  const wrong = await runClient(vm, ["attach", id, "--from", "x"]);
  assertEquals(wrong.code, 2);
  assertStringIncludes(wrong.stderr, "--from takes a whole number");
  const log = await Deno.readTextFile(vm.layout.audit);
  assertStringIncludes(log, `ATTACH id=${id} exit=5`);
  assertEquals((await runClient(vm, ["wait", id])).code, 5);
  const gone = await runClient(vm, ["attach", id]);
  assertEquals(gone.code, 1);
  assertStringIncludes(gone.stderr, `no job any more: ${id}`);
});

vmTest("leaving attach leaves the job", async (vm) => {
  const peer = await connectPeer(vm);
  const id = await detach(vm, "x");
  const request = await peer.nextRequest();
  await peer.output(request.seq, 1, "first\n");
  const child = client(vm, ["attach", id]).spawn();
  const output = child.stdout.getReader();
  await output.read();
  child.kill("SIGINT");
  assertStringIncludes(await new Response(child.stderr).text(), "interrupted; the request goes on");
  assertEquals((await child.status).code, 130);
  await output.cancel();
  assertEquals(namesIn(vm.layout.cancel), []);
  await peer.finish(request);
  await peer.close();
});

vmTest("wait --timeout ends while a person is asked, too", async (vm) => {
  const peer = await connectPeer(vm);
  const id = await detach(vm, "x");
  const request = await peer.nextRequest();
  peer.accept(request.seq);
  peer.park(request.seq);
  await until("it is shown", async () => await stateOf(vm, id) === "approval");
  const { code, stderr } = await runClient(vm, ["wait", id, "--timeout", "1"]);
  assertEquals(code, 124);
  assertStringIncludes(stderr, `no answer within 1s; the request goes on (id=${id})`);
  await peer.close();
});

async function cancelled(request: PeerRequest, peer: Dom0Peer): Promise<void> {
  await peer.next("cancel");
  await peer.finish(request, "cancelled");
}

vmTest("cancel ends it in dom0, and says what came of it", async (vm) => {
  const peer = await connectPeer(vm);
  const id = await detach(vm, "x");
  const request = await peer.nextRequest();
  peer.accept(request.seq);
  const [result] = await Promise.all([
    runClient(vm, ["cancel", id]),
    cancelled(request, peer),
  ]);
  assertEquals([result.code, result.stdout], [0, `${id} has ended: cancelled\n`]);
  const again = await runClient(vm, ["cancel", id]);
  assertEquals(again.code, 1);
  assertStringIncludes(again.stderr, `${id} has ended: there is nothing to cancel`);
  assertEquals((await runClient(vm, ["wait", id])).code, 130);
  await peer.close();
});

vmTest("cancel takes back what dom0 has not taken, and says when it cannot know", async (vm) => {
  const id = await detach(vm, "x");
  const { code, stdout } = await runClient(vm, ["cancel", id]);
  assertEquals([code, stdout], [0, `${id} has ended: cancelled\n`]);
  assertEquals(namesIn(vm.layout.pending), []);
  assertEquals((await runClient(vm, ["wait", id])).code, 130);

  const first = await connectPeer(vm);
  const other = await detach(vm, "y");
  first.accept((await first.nextRequest()).seq);
  await first.close();
  const late = await runClient(vm, ["cancel", other]);
  assertEquals(late.code, 255);
  assertStringIncludes(late.stdout, "has not ended: dom0 is not connected: it is told when it is");
  const second = await connectPeer(vm);
  await cancelled(await second.nextRequest(), second);
  assertEquals((await runClient(vm, ["wait", other])).code, 130);
  await second.close();
});

vmTest("a job that nothing can become of is said, and waited for by nobody", async (vm) => {
  const id = await detach(vm, "x");
  await Deno.remove(`${vm.layout.pending}/${id}`);
  assertEquals(await stateOf(vm, id), "gone");
  for (const word of ["wait", "attach"]) {
    const { code, stderr } = await runClient(vm, [word, id]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, `${id} is not in the queue, and there is no answer to it`);
  }
  assertEquals(
    (await runClient(vm, ["cancel", id])).stdout,
    `${id} was never sent; it is off the list\n`,
  );
  assertEquals(namesIn(vm.layout.detached), []);
});

vmTest("what is no job here is refused by its reason", async (vm) => {
  const unknown = "20261122-091500-4242-a1b2c3d4";
  for (const word of ["attach", "wait", "cancel"]) {
    const { code, stderr } = await runClient(vm, [word, unknown]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, `no such job: ${unknown}`);
    assertStringIncludes((await runClient(vm, [word, "../x"])).stderr, 'not an id: "../x"');
  }
  const running = client(vm, ["sleep", "600"]).spawn();
  await until("it is sent", () => Promise.resolve(namesIn(vm.layout.pending).length > 0));
  const [own = ""] = namesIn(vm.layout.pending);
  const { stderr } = await runClient(vm, ["attach", own]);
  assertStringIncludes(stderr, `not a job: ${own}\nqvm-remote: hint: its client waits for it`);
  running.kill("SIGINT");
  await running.output();
});

vmTest("a job of another VM is not waited for here", async (vm) => {
  const id = await detach(vm, "x");
  const path = detachedPath(vm.layout, id);
  await Deno.writeTextFile(path, (await Deno.readTextFile(path)).replace("work", "old-work"));
  for (const word of ["attach", "wait", "cancel"]) {
    const { code, stderr } = await runClient(vm, [word, id]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, `${id} is a job of the VM old-work; this one is work`);
  }
});

vmTest("an outcome that dom0 does not keep any more is not taken for a refusal", async (vm) => {
  const first = await connectPeer(vm);
  const id = await detach(vm, "x");
  first.accept((await first.nextRequest()).seq);
  await first.close();
  const later = await connectPeer(vm);
  await later.refuse(await later.nextRequest(), "stale");
  const { code, stderr } = await runClient(vm, ["wait", id]);
  assertEquals(code, 130);
  assertStringIncludes(stderr, "dom0 does not keep its outcome any more");
  assertStringIncludes(stderr, "interrupted: what became of it is not known here");
  const fresh = await detach(vm, "y");
  await later.refuse(await later.nextRequest(), "stale");
  assertEquals((await runClient(vm, ["wait", fresh])).code, 126, "it was never sent before");
  await later.close();
});
