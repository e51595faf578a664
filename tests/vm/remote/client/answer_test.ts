// SPDX-License-Identifier: GPL-2.0-or-later
/** What the client makes of answers: refusals, and answers that are not dom0's. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { EMPTY_STREAM, type Outcome } from "../../../../shared/protocol/outcome.ts";
import { parseRequestId } from "../../../../shared/protocol/request_id.ts";
import { publishOutcome } from "../../../../vm/remote/files/result_files.ts";
import {
  asText,
  client,
  type ClientResult,
  namesIn,
  runClient,
  until,
  type Vm,
  vmTest,
} from "../fixture.ts";
import { connectPeer } from "../dom0_peer.ts";
import { parseEnvelope } from "../../../../shared/protocol/envelope.ts";

vmTest("a refusal: exit 126, the reason, and what to do", async (vm) => {
  const peer = await connectPeer(vm);
  for (
    const [reason, text] of [
      ["policy-denied", "refused by dom0: the policy in dom0 does not allow it"],
      ["stale", "refused by dom0: the request is too old"],
    ] as const
  ) {
    const running = runClient(vm, ["x"]);
    await peer.refuse(await peer.nextRequest(), reason);
    const { code, stderr } = await running;
    assertEquals(code, 126);
    assertStringIncludes(stderr, text);
    assertStringIncludes(stderr, "qvm-remote: hint: ");
  }
  const running = runClient(vm, ["--json", "x"]);
  await peer.refuse(await peer.nextRequest(), "locked-down");
  const value = JSON.parse((await running).stdout);
  assertEquals([value.outcome, value.reason, value.exit], ["refused", "locked-down", 126]);
  await peer.close();
});

/** Runs the client and answers with files, as whoever can write to this HOME could. */
async function answeredBy(
  vm: Vm,
  forge: (outcome: Outcome) => Outcome,
  mac: Uint8Array | null,
): Promise<ClientResult> {
  const running = runClient(vm, ["x"]);
  await until("the request is in the queue", () => namesIn(vm.layout.pending).length === 1);
  const [name = ""] = namesIn(vm.layout.pending);
  const path = `${vm.layout.pending}/${name}`;
  const { nonce } = parseEnvelope(await Deno.readFile(path)).fields;
  const outcome: Outcome = {
    ...{ id: parseRequestId(name), nonce, kind: "done", reason: null, exitCode: 0 },
    ...{ startedAtMs: 0, durationMs: 1, out: EMPTY_STREAM, err: EMPTY_STREAM },
  };
  await Deno.remove(path);
  publishOutcome(vm.layout, forge(outcome), mac);
  return await running;
}

vmTest("an outcome without a signature is not believed", async (vm) => {
  const { code, stderr } = await answeredBy(vm, (outcome) => outcome, null);
  assertEquals(code, 255);
  assertStringIncludes(stderr, "the answer does not belong to this request");
});

vmTest("an outcome with another signature: exit 255, and which keys to compare", async (vm) => {
  const { code, stderr } = await answeredBy(vm, (outcome) => outcome, new Uint8Array(32));
  assertEquals(code, 255);
  assertStringIncludes(stderr, "the answer is not signed with this VM's key");
  assertStringIncludes(stderr, '"qvm-remote key fingerprint" here with "qvm-remote-dom0 keys"');
});

vmTest("a refusal of this VM's own service needs no signature, and is called so", async (vm) => {
  const { code, stderr } = await answeredBy(
    vm,
    (outcome) => ({ ...outcome, kind: "refused", reason: "bad-body", exitCode: 126 }),
    null,
  );
  assertEquals(code, 126);
  assertStringIncludes(stderr, "refused by this VM's queue service");
});

vmTest("another nonce is another request's answer, even from the own service", async (vm) => {
  const { code } = await answeredBy(vm, (outcome) => ({
    ...{ ...outcome, nonce: "0".repeat(32), kind: "cancelled", exitCode: 130 },
  }), null);
  assertEquals(code, 255);
});

vmTest("output that was changed on its way is noticed: exit 255", async (vm) => {
  const peer = await connectPeer(vm);
  const child = client(vm, ["x"]).spawn();
  const request = await peer.nextRequest();
  child.kill("SIGSTOP"); // so that it does not read the true words first
  peer.accept(request.seq);
  await peer.output(request.seq, 1, "true words");
  await peer.finish(request);
  await Deno.writeTextFile(`${vm.layout.results}/${request.request.id}.out`, "false word");
  child.kill("SIGCONT");
  const { code, stderr } = asText(await child.output());
  assertEquals(code, 255);
  assertStringIncludes(stderr, "the output is not what dom0 signed");
  await peer.close();
});

vmTest("an interrupted command may have shown more than dom0 vouches for", async (vm) => {
  const first = await connectPeer(vm);
  const child = client(vm, ["x"]).spawn();
  const request = await first.nextRequest();
  first.accept(request.seq);
  await first.output(request.seq, 1, "seen and lost");
  const shown = child.stdout.getReader();
  assertEquals(new TextDecoder().decode((await shown.read()).value), "seen and lost");
  shown.releaseLock();
  await first.close();
  const second = await connectPeer(vm);
  const again = await second.nextRequest();
  await second.output(again.seq, 1, "seen");
  await second.finish(again, "interrupted");
  const { code, stdout, stderr } = asText(await child.output());
  assertEquals([code, stdout], [130, ""]);
  assertStringIncludes(stderr, "the last 9 bytes of output are not covered by dom0's answer");
  await second.close();
});
