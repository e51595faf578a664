// SPDX-License-Identifier: GPL-2.0-or-later
/** What dom0's operator asks of a VM: one frame, and the service ends. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createFrameDecoder } from "../../../../shared/protocol/frame.ts";
import { type Answer, CAPS_OF_ANSWER, decodeAnswer } from "../../../../shared/protocol/message.ts";
import { historyFolder } from "../../../../vm/remote/files/layout.ts";
import { answerLocally } from "../../../../vm/remote/files/result_files.ts";
import { HISTORY_DAYS, ORPHAN_AGE_MS } from "../../../../vm/remote/files/sweep.ts";
import { connectPeer } from "../dom0_peer.ts";
import { exists } from "../../../../shared/io/files.ts";
import { namesIn, queueService, until, type Vm, vmTest } from "../fixture.ts";
import { runInProcess, scriptRequest } from "../in_process.ts";

interface Asked {
  readonly code: number;
  readonly answers: readonly Answer[];
  readonly stderr: string;
}

async function ask(vm: Vm, argument: string, byEnvironment = false): Promise<Asked> {
  const child = byEnvironment
    ? queueService(vm, [], { QREXEC_SERVICE_ARGUMENT: argument }).spawn()
    : queueService(vm, [argument]).spawn();
  const { code, stdout, stderr } = await child.output();
  await child.stdin.close().catch(() => {});
  const decoder = createFrameDecoder(CAPS_OF_ANSWER);
  const answers = decoder.push(stdout).map(decodeAnswer);
  decoder.end();
  return { code, answers, stderr: new TextDecoder().decode(stderr) };
}

vmTest("+key gives the key, and says so where there is none", async (vm) => {
  const text = await Deno.readTextFile(vm.layout.key);
  for (const byEnvironment of [false, true]) {
    const { code, answers } = await ask(vm, "key", byEnvironment);
    assertEquals([code, answers], [0, [{ kind: "key", untrustedText: text }]]);
  }
  await Deno.remove(vm.layout.key);
  const none = await ask(vm, "key");
  assertEquals([none.code, none.answers], [1, []]);
  assertStringIncludes(none.stderr, "no key configured");
  assertStringIncludes((await ask(vm, "frob")).stderr, 'unknown argument: "frob"');
});

vmTest("+status, +list and +clean", async (vm) => {
  const exchange = await scriptRequest(vm, "x");
  (await exchange.publish())[Symbol.dispose]();
  await Deno.writeTextFile(`${vm.layout.pending}/junk\u00e9`, "x".repeat(10));
  assertEquals((await ask(vm, "status")).answers, [
    { kind: "report", pending: 2, running: 0, results: 0, removed: 0 },
  ]);
  const [listing] = (await ask(vm, "list")).answers;
  assert(listing?.kind === "listing");
  assertEquals(listing.entries.map(({ folder }) => folder).join(), "pending,pending");
  assertEquals((await ask(vm, "clean")).answers, [
    { kind: "report", pending: 0, running: 0, results: 0, removed: 2 },
  ]);
  assertEquals((await ask(vm, "list")).answers, [{ kind: "listing", entries: [] }]);
});

vmTest("+list gives at most 200 entries", async (vm) => {
  for (let i = 0; i < 300; i++) Deno.writeTextFileSync(`${vm.layout.pending}/${i}`, "");
  const [listing] = (await ask(vm, "list")).answers;
  assertEquals(listing?.kind === "listing" && listing.entries.length, 200);
});

vmTest("+recover ends what no session serves: its client gets exit 130", async (vm) => {
  const peer = await connectPeer(vm);
  const running = runInProcess(vm, await scriptRequest(vm, "x"));
  await peer.nextRequest();
  assertEquals((await ask(vm, "recover")).answers, [
    { kind: "report", pending: 0, running: 1, results: 0, removed: 0 },
  ]);
  await peer.kill();
  assertEquals((await ask(vm, "recover")).answers, [
    { kind: "report", pending: 0, running: 0, results: 1, removed: 1 },
  ]);
  const { end, stderr } = await running;
  assertEquals(stderr, "command recovered (manual queue recover)\n");
  assert(end.kind === "answered");
  assertEquals([end.outcome.kind, end.signed, end.outcome.exitCode], ["interrupted", false, 130]);
});

vmTest("a session begins by archiving what nobody took, and drops old history", async (vm) => {
  const old = (await scriptRequest(vm, "x")).id;
  const young = (await scriptRequest(vm, "x")).id;
  for (const id of [old, young]) {
    answerLocally(vm.layout, id, "-", { kind: "cancelled", reason: null }, "");
  }
  const seconds = (Date.now() - ORPHAN_AGE_MS - 1000) / 1000;
  await Deno.utime(`${vm.layout.results}/${old}.exit`, seconds, seconds);
  const day = (days: number) =>
    `${vm.layout.history}/${new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)}`;
  for (const days of [HISTORY_DAYS - 1, HISTORY_DAYS + 1]) {
    await Deno.mkdir(`${day(days)}/x`, { recursive: true });
  }
  const peer = await connectPeer(vm);
  await until("it is archived", () => exists(`${historyFolder(vm.layout, old)}/exit`));
  await until("old history is gone", async () => !await exists(day(HISTORY_DAYS + 1)));
  assertEquals(await exists(day(HISTORY_DAYS - 1)), true);
  assertEquals(namesIn(vm.layout.results).every((name) => name.startsWith(young)), true);
  await peer.close();
});
