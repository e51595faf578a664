// SPDX-License-Identifier: GPL-2.0-or-later
/** How a client stops waiting: signals and the timeout, in each phase of a request. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { CANCEL_GRACE_MS } from "../../../../vm/remote/client/await_answer.ts";
import { isPresent } from "../../../../shared/io/sync_files.ts";
import { utf8 } from "../../../../shared/protocol/bytes.ts";
import { runRequest } from "../../../../vm/remote/client/run_request.ts";
import { resultPath } from "../../../../vm/remote/files/layout.ts";
import { connectPeer } from "../dom0_peer.ts";
import {
  asText,
  client,
  createVm,
  namesIn,
  runClient,
  until,
  type Vm,
  vmTest,
} from "../fixture.ts";
import { runInProcess, scriptRequest } from "../in_process.ts";

async function isPending(vm: Vm): Promise<void> {
  await until("the request is in the queue", () => namesIn(vm.layout.pending).length === 1);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  vmTest(`${signal} before dom0 took the request takes it back: exit 130`, async (vm) => {
    const child = client(vm, ["touch /tmp/never"]).spawn();
    await isPending(vm);
    child.kill(signal);
    const { code, stderr } = asText(await child.output());
    assertEquals(code, 130);
    assertStringIncludes(stderr, "interrupted before dom0 took the request");
    for (const folder of ["pending", "running", "cancel", "results"] as const) {
      assertEquals(namesIn(vm.layout[folder]), []);
    }
  });

  vmTest(
    `${signal} while it runs cancels it in dom0 and waits for its end: exit 130`,
    async (vm) => {
      const peer = await connectPeer(vm);
      const child = client(vm, ["sleep 99"]).spawn();
      const request = await peer.nextRequest();
      peer.accept(request.seq);
      await peer.output(request.seq, 1, "before");
      child.kill(signal);
      await peer.next("cancel");
      await peer.output(request.seq, 1, " after");
      await peer.finish(request, "cancelled");
      const { code, stdout, stderr } = asText(await child.output());
      assertEquals([code, stdout], [130, "before after"]);
      assertStringIncludes(stderr, "qvm-remote: interrupted (id=");
      await peer.close();
      assertEquals(namesIn(vm.layout.cancel), []);
      assertEquals(namesIn(vm.layout.running), []);
    },
  );
}

for (const signal of ["SIGABRT", "SIGKILL"] as const) {
  vmTest(`${signal} while it runs: the service cancels it in dom0`, async (vm) => {
    const peer = await connectPeer(vm);
    const child = client(vm, ["sleep 99"]).spawn();
    const request = await peer.nextRequest();
    peer.accept(request.seq);
    child.kill(signal);
    assertEquals((await child.output()).signal, signal);
    await peer.next("cancel");
    await peer.finish(request, "cancelled");
    const log = await Deno.readTextFile(vm.layout.audit);
    assertStringIncludes(log, `CANCEL id=${request.request.id} its client is gone`);
    await peer.close();
  });

  vmTest(`${signal} before dom0 took it: it is never sent`, async (vm) => {
    const child = client(vm, ["touch /tmp/never"]).spawn();
    await isPending(vm);
    const [id = ""] = namesIn(vm.layout.pending);
    child.kill(signal);
    await child.output();
    const peer = await connectPeer(vm);
    const next = runInProcess(vm, await scriptRequest(vm, "x"));
    const request = await peer.nextRequest();
    assert(request.request.id !== id, "the second comes first: the first is not sent");
    assertEquals(await Deno.readTextFile(`${vm.layout.results}/${id}.exit`), "130");
    await peer.finish(request);
    await next;
    await peer.close();
  });
}

vmTest("a client that died between two sessions: sent again, and cancelled", async (vm) => {
  const first = await connectPeer(vm);
  const child = client(vm, ["sleep 99"]).spawn();
  const { request } = await first.nextRequest();
  await first.kill();
  child.kill("SIGKILL");
  await child.output();
  const second = await connectPeer(vm);
  const again = await second.nextRequest();
  assertEquals(again.request.id, request.id);
  await second.next("cancel");
  await second.finish(again, "cancelled");
  await second.close();
});

vmTest("a second Ctrl-C leaves at once", async (vm) => {
  const peer = await connectPeer(vm);
  const child = client(vm, ["sleep 99"]).spawn();
  peer.accept((await peer.nextRequest()).seq);
  child.kill("SIGINT");
  await peer.next("cancel");
  child.kill("SIGINT");
  const { code, stderr } = asText(await child.output());
  assertEquals(code, 130);
  assertStringIncludes(stderr, "it may still run");
  await peer.close();
});

vmTest(
  "Ctrl-C while a pager does not read leaves, though the output is not all read",
  async (vm) => {
    const peer = await connectPeer(vm);
    const child = client(vm, ["x"]).spawn();
    const request = await peer.nextRequest();
    peer.accept(request.seq);
    await peer.output(request.seq, 1, new Uint8Array(200_000));
    await peer.finish(request);
    await until("it waits for its reader", () => isIn(child.pid, /pipe_write/));
    child.kill("SIGINT");
    assertEquals((await child.status).code, 130);
    await child.stdout.cancel();
    await child.stderr.cancel();
    await peer.close();
  },
);

vmTest("Ctrl-C in the moment of the answer leaves a reader that does not read", async (vm) => {
  const peer = await connectPeer(vm);
  const exchange = await scriptRequest(vm, "x");
  const exitPath = resultPath(vm.layout, exchange.id, "exit");
  const ended = runRequest(exchange, { answerMs: 60_000, connectMs: 60_000 }, {
    layout: vm.layout,
    interrupts: { count: () => isPresent(exitPath) ? 1 : 0, listen: (ring) => ring() },
    stdout: () => new Promise(() => {}),
    stderr: () => Promise.resolve(),
    onPublished() {},
    onWaiting() {},
    onParked() {},
  });
  const request = await peer.nextRequest();
  peer.accept(request.seq);
  await peer.output(request.seq, 1, utf8("a line"));
  await peer.finish(request);
  const end = await ended;
  assertEquals([end.kind, end.kind === "answered" && end.cause], ["answered", "interrupt"]);
  await peer.close();
});

vmTest(
  "a limit of dom0 is told as it was in force, on stderr, in JSON and in the history",
  async (vm) => {
    const peer = await connectPeer(vm);
    const cases = [
      ["timeout", 124, 2000, "timed out after 2s: dom0's limit; -t asked for 60s (id="],
      ["output-limit", 137, 2 ** 21, "ended in dom0: more output than 2 MiB, dom0's limit (id="],
      ["process-limit", 137, 60, "ended in dom0: more processes than 60, dom0's limit (id="],
      ["memory-limit", 137, 1000, "ended in dom0: more memory than 1000 bytes, dom0's limit (id="],
      ["memory-limit", 137, null, "ended in dom0: more memory than its limit allows (id="],
    ] as const;
    for (const [kind, exit, limit, text] of cases) {
      const running = runClient(vm, ["--json", "-t", "60", "x"]);
      const request = await peer.nextRequest();
      await peer.finish(request, kind, exit, limit);
      peer.credit(1);
      const { code, stdout, stderr } = await running;
      assertEquals(code, exit);
      assertStringIncludes(stderr, text);
      const json = JSON.parse(stdout);
      assertEquals([json.outcome, json.limit, json.signed], [kind, limit, true]);
      const shown = await runClient(vm, ["history", "show", "--json", json.id]);
      assertEquals(JSON.parse(shown.stdout).limit, limit);
    }
    await peer.close();
  },
);

vmTest("a dom0 of the first form is served as before, and says no limit", async (vm) => {
  const peer = await connectPeer(vm, { first: true });
  const running = runClient(vm, ["--json", "-t", "60", "x"]);
  const request = await peer.nextRequest();
  await peer.output(request.seq, 1, "out");
  await peer.finish(request, "timeout", 124, 2000);
  const { code, stdout, stderr } = await running;
  assertEquals(code, 124);
  assertStringIncludes(stderr, "qvm-remote: timed out after 60s (id=");
  const json = JSON.parse(stdout);
  assertEquals([json.stdout, json.limit, json.signed], ["out", null, true]);
  const day = namesIn(vm.layout.history)[0];
  const meta = await Deno.readTextFile(`${vm.layout.history}/${day}/${request.request.id}/meta`);
  assertEquals(meta.includes("limit="), false);
  peer.ping();
  await peer.next("alive");
  await peer.close();
});

vmTest("dom0 ended it for its time: exit 124, with what it printed", async (vm) => {
  const peer = await connectPeer(vm);
  const running = runClient(vm, ["-t", "7", "x"]);
  const request = await peer.nextRequest();
  assertEquals(request.request.timeoutMs, 7000);
  peer.accept(request.seq);
  await peer.output(request.seq, 1, "half");
  await peer.finish(request, "timeout");
  const { code, stdout, stderr } = await running;
  assertEquals([code, stdout], [124, "half"]);
  assertStringIncludes(stderr, "qvm-remote: timed out after 7s (id=");
  await peer.close();
});

vmTest("a request cancelled before the service took it is answered here", async (vm) => {
  const child = client(vm, ["x"]).spawn();
  await isPending(vm);
  const [id = ""] = namesIn(vm.layout.pending);
  await Deno.writeTextFile(`${vm.layout.cancel}/${id}`, "");
  const peer = await connectPeer(vm);
  const { code, stderr } = asText(await child.output());
  assertEquals(code, 130);
  assertStringIncludes(stderr, "cancelled (id=");
  await peer.close();
  assertEquals(namesIn(vm.layout.cancel), []);
  assertEquals(namesIn(vm.layout.pending), []);
});

/** These wait for real: side by side, in VMs of their own. */
vmTest("time is up: taken back, or cancelled, or given up after a grace time", async (vm) => {
  const others = await Promise.all([createVm(), createVm()]);
  try {
    const [second = vm, third = vm] = others;
    await Promise.all([ignoredCancel(vm), neverTaken(second), silentDom0(third)]);
  } finally {
    for (const other of others) await other.remove();
  }
});

/** Exit 130, though dom0 says nothing to the cancel. */
async function ignoredCancel(vm: Vm): Promise<void> {
  const peer = await connectPeer(vm);
  const child = client(vm, ["sleep 99"]).spawn();
  peer.accept((await peer.nextRequest()).seq);
  const startMs = performance.now();
  child.kill("SIGINT");
  assertEquals((await child.output()).code, 130);
  const waitedMs = performance.now() - startMs;
  assert(waitedMs > CANCEL_GRACE_MS - 500, `${waitedMs}`);
  await peer.close();
}

/** Exit 124, and the request is gone from the queue. */
async function neverTaken(vm: Vm): Promise<void> {
  const { code, stderr } = await runClient(vm, ["-t", "1", "true"]);
  assertEquals(code, 124);
  assert(/^qvm-remote: timed out after 1s \(id=\S+\)\n/.test(stderr), stderr);
  assertStringIncludes(stderr, "dom0 did not take the request");
  assertEquals(namesIn(vm.layout.pending), []);
  assertStringIncludes(await Deno.readTextFile(vm.layout.audit), " TIMEOUT id=");
}

/** No answer (exit 255): dom0 took it, and says nothing even to a cancel. */
async function silentDom0(vm: Vm): Promise<void> {
  const peer = await connectPeer(vm);
  const running = runInProcess(vm, await scriptRequest(vm, "x"), 500);
  const request = await peer.nextRequest();
  peer.accept(request.seq);
  await peer.next("cancel");
  assertEquals((await running).end, { kind: "no-answer", cause: "deadline" });
  await peer.close();
}

/** Whether a thread of the process is in that function of the kernel. */
function isIn(pid: number, kernelFunction: RegExp): boolean {
  return [...Deno.readDirSync(`/proc/${pid}/task`)].some(({ name }) =>
    kernelFunction.test(Deno.readTextFileSync(`/proc/${pid}/task/${name}/wchan`))
  );
}
