// SPDX-License-Identifier: GPL-2.0-or-later
/** What a client does while a person in dom0 is to decide. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connectPeer } from "../dom0_peer.ts";
import { client, namesIn, runClient, runInTerminal, until, vmTest } from "../fixture.ts";
import { NO_INTERRUPTS, scriptRequest } from "../in_process.ts";
import { runRequest } from "../../../../vm/remote/client/run_request.ts";
import { parkedPath } from "../../../../vm/remote/files/layout.ts";

const WAITING = "qvm-remote: waiting for approval in dom0 ...\n";

vmTest("it says once that a person is asked, and goes on when that person said yes", async (vm) => {
  const peer = await connectPeer(vm);
  for (const [quiet, stderr] of [[[], WAITING], [["-q"], ""]] as const) {
    const running = runClient(vm, [...quiet, "x"]);
    const request = await peer.nextRequest();
    peer.accept(request.seq);
    peer.park(request.seq);
    const isParked = () => namesIn(vm.layout.results).some((name) => name.endsWith(".parked"));
    await until("it is parked", isParked);
    peer.approve(request.seq);
    await until("it runs", () => !isParked());
    await peer.output(request.seq, 1, "ran\n");
    await peer.finish(request, "done", 4);
    peer.credit(1);
    const { code, stdout, stderr: said } = await running;
    assertEquals([code, stdout], [4, "ran\n"]);
    if (said !== "") assertEquals(said, stderr, "seen, if it was parked for long enough");
  }
  await peer.close();
});

vmTest("it tells a person at a terminal of the approval too", async (vm) => {
  const peer = await connectPeer(vm);
  const running = runInTerminal(vm, ["x"]);
  const request = await peer.nextRequest();
  peer.accept(request.seq);
  peer.park(request.seq);
  await peer.finish(request);
  const shown = await running;
  assertEquals(shown.includes("approved"), false, shown);
  await peer.close();
});

const REFUSALS = [
  ["not-approved", "a person in dom0 said no", "talk to that person"],
  ["approval-expired", "nobody in dom0 answered in time", "qvm-remote-dom0 pending"],
  ["bad-operation", "there is no such operation", "qvm-remote ops"],
  ["bad-plan", "dom0 cannot read the plan", "plan --check"],
  ["too-many-parked", "too many requests of this VM wait", "qvm-remote-dom0 pending"],
  ["rate-limited", "this VM asks more often", "ask less often"],
] as const;

vmTest("a refusal that came with operations: exit 126, the reason, and what to do", async (vm) => {
  const peer = await connectPeer(vm);
  for (const [reason, text, hint] of REFUSALS) {
    const running = runClient(vm, ["x"]);
    const request = await peer.nextRequest();
    peer.accept(request.seq);
    await peer.output(request.seq, 2, "qvm-remote-dom0: said by dom0\n");
    await peer.refuse(request, reason);
    peer.credit(1);
    const { code, stdout, stderr } = await running;
    assertEquals([code, stdout], [126, ""], reason);
    assertMatch(stderr, /^qvm-remote-dom0: said by dom0\n/, "first what dom0 says of it");
    assertStringIncludes(stderr, `error: refused by dom0: ${text}`);
    assertMatch(stderr, new RegExp(`^qvm-remote: hint: .*${hint}`, "m"));
  }
  await peer.close();
});

vmTest("Ctrl-C while a person is asked takes the request back: exit 130", async (vm) => {
  const peer = await connectPeer(vm);
  const child = client(vm, ["x"]).spawn();
  const request = await peer.nextRequest();
  peer.accept(request.seq);
  peer.park(request.seq);
  const stderr = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  assertEquals((await stderr.read()).value, WAITING);
  child.kill("SIGINT");
  await peer.next("cancel");
  await peer.finish(request, "cancelled");
  assertEquals((await child.status).code, 130);
  await stderr.cancel();
  await child.stdout.cancel();
  await peer.close();
});

vmTest("the time for the answer does not run while a person is asked", async (vm) => {
  const exchange = await scriptRequest(vm, "x");
  const path = parkedPath(vm.layout, exchange.id);
  await Deno.writeFile(path, new Uint8Array(0));
  const log: string[] = [];
  let looks = 0;
  const look = (): Promise<void> => Deno.writeFile(path, new Uint8Array(0)); // rings the watch
  const running = runRequest(exchange, { answerMs: 1, connectMs: 3600_000 }, {
    ...{ layout: vm.layout, interrupts: NO_INTERRUPTS, onPublished() {} },
    ...{ stdout: () => Promise.resolve(), stderr: () => Promise.resolve() },
    onParked: (isParked) => void log.push(isParked ? "parked" : "runs"),
    onWaiting: (waitedMs, isParked) => void (looks += isParked && waitedMs > 1 ? 1 : 0),
  });
  await until("the time has passed, and it waits", async () => {
    await look();
    return looks > 2;
  });
  await Deno.remove(path);
  const end = await running;
  assertEquals(log, ["parked", "runs"]);
  assertEquals([end.kind, "cause" in end && end.cause], ["withdrawn", "deadline"]);
});

vmTest("a ping that a person would have to allow is an answer all the same", async (vm) => {
  const peer = await connectPeer(vm);
  const running = runClient(vm, ["ping"]);
  const request = await peer.nextRequest();
  peer.accept(request.seq);
  peer.park(request.seq);
  await peer.next("cancel");
  await peer.finish(request, "cancelled");
  const { code, stdout } = await running;
  assertEquals(code, 0);
  assertMatch(stdout, /^qvm-remote-dom0 is responding/);
  await peer.close();
});
