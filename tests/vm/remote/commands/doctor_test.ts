// SPDX-License-Identifier: GPL-2.0-or-later
/** `qvm-remote doctor`: what it finds wrong, in this VM and in dom0, and what it says to do. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { VERSION } from "../../../../shared/io/version.ts";
import { examine } from "../../../../vm/remote/doctor/examine.ts";
import type { Finding } from "../../../../vm/remote/doctor/finding.ts";
import { connectPeer, type Dom0Peer, type PeerRequest } from "../dom0_peer.ts";
import { runClient, type Vm, vmTest } from "../fixture.ts";

const SERVICE = new URL(import.meta.url).pathname; // there

async function found(vm: Vm): Promise<Readonly<Record<string, Finding | undefined>>> {
  const findings = await examine(vm.layout, SERVICE);
  return Object.fromEntries(findings.map((finding) => [finding.subject, finding]));
}

const OPS = JSON.stringify(
  [["vm.list", "monitor", "allow"], ["vm.start", "manage", "ask"]].map((
    [name, level, decision],
  ) => ({
    name,
    level,
    decision,
    summary: "",
    destructive: false,
    parameters: { properties: {} },
  })),
);

/** Answers the doctor's three questions; what `about` does is the caller's. */
async function answer(peer: Dom0Peer, about: (request: PeerRequest) => Promise<void>) {
  for (let count = 0; count < 3; count++) {
    const request = await peer.nextRequest();
    const words = new TextDecoder().decode(request.request.body);
    if (words.startsWith("about")) await about(request);
    else {
      const isOps = words.startsWith("ops");
      await peer.output(request.seq, 1, isOps ? OPS : '{"decision":"ask"}');
      await peer.finish(request);
    }
    peer.credit(1);
  }
}

vmTest("all is well: one line each, and exit code 0", async (vm) => {
  const peer = await connectPeer(vm);
  const answering = answer(peer, async (request) => {
    const time = new Date(Date.now() + 40_000).toISOString();
    await peer.output(request.seq, 1, JSON.stringify({ version: "2.9.1", time }));
    await peer.finish(request);
  });
  const { code, stdout } = await runClient(vm, ["doctor"]);
  await answering;
  assertEquals(code, 0, stdout);
  const lines = stdout.split("\n");
  assertEquals(lines.length, 7);
  assertEquals(lines[0], `key      ok       ${vm.key.fingerprint}`);
  assertEquals(lines[1], "service  ok       qvmremote.Queue serves the queue");
  assertMatch(lines[2] ?? "", /^session {2}ok {7}dom0 is connected, and answered in \d+ ms$/);
  assertMatch(lines[3] ?? "", /^clock {4}ok {7}(39|40)\.\d s behind dom0$/);
  assertEquals(lines[4], "policy   ok       may read; asks for the rest");
  assertEquals(lines[5], `version  ok       ${VERSION} here, 2.9.1 in dom0`);
  assertEquals(
    (await runClient(vm, ["history"])).stdout.split("\n").length,
    2,
    "it leaves no trace",
  );
  await peer.close();
});

vmTest("a clock that is far off is bad", async (vm) => {
  const peer = await connectPeer(vm);
  const answering = answer(peer, async (request) => {
    const time = new Date(Date.now() - 90_000).toISOString();
    await peer.output(request.seq, 1, JSON.stringify({ version: "2.0.0", time }));
    await peer.finish(request);
  });
  const { code, stdout } = await runClient(vm, ["doctor", "--json"]);
  await answering;
  const { ok, findings } = JSON.parse(stdout);
  assertEquals([code, ok], [1, false]);
  const clock = findings.find(({ subject }: Finding) => subject === "clock");
  assertMatch(`${clock.state}: ${clock.text}`, /^bad: (89|90|91)\.\d s ahead of dom0$/);
  assertStringIncludes(clock.remedy, "qvm-sync-clock");
  await peer.close();
});

vmTest("an older dom0 answers what it knows", async (vm) => {
  const peer = await connectPeer(vm);
  const answering = answer(peer, (request) => peer.refuse(request, "bad-operation"));
  const { session, clock, policy, version } = await found(vm);
  await answering;
  assertEquals([session?.state, clock?.state, policy?.state], ["ok", "ok", "ok"]);
  assertEquals(version?.state, "unknown");
  assertStringIncludes(String(version?.text), "dom0's is older, and does not say which");
  await peer.close();

  const first = await connectPeer(vm, { first: true }); // it knows no operations at all
  const old = await found(vm);
  assertEquals([old["session"]?.state, old["policy"]?.state], ["ok", "unknown"]);
  assertStringIncludes(String(old["version"]?.text), "dom0's is older");
  await first.close();
});

vmTest("without a session nothing is asked, and the next step is said", async (vm) => {
  const { key, service, session, clock, policy, version } = await found(vm);
  assertEquals([key?.state, service?.state, session?.state], ["ok", "ok", "bad"]);
  for (const finding of [clock, policy, version]) assertEquals(finding?.state, "unknown");
  assertStringIncludes(String(session?.remedy), "qvm-remote-dom0 status");
  await Deno.writeTextFile(vm.layout.connected, "locked-down");
  assertStringIncludes(String((await found(vm))["session"]?.text), "dom0 is locked down");
  const missing = await examine(vm.layout, `${vm.home}/no-service`);
  assertEquals(missing[1]?.state, "bad");
  await Deno.remove(vm.layout.connected);
  await Deno.remove(vm.layout.name);
  assertStringIncludes(String((await found(vm))["session"]?.text), "has never connected");
});

vmTest("a key that is wrong is said, here or by dom0", async (vm) => {
  const peer = await connectPeer(vm);
  const refusing = (async () => {
    for (let count = 0; count < 3; count++) {
      await peer.refuse(await peer.nextRequest(), "bad-mac");
    }
  })();
  const { session } = await found(vm);
  await refusing;
  assertEquals(session?.state, "bad");
  assertStringIncludes(String(session?.remedy), "qvm-remote key fingerprint");
  await peer.close();
  await Deno.chmod(vm.layout.key, 0o644);
  const { key } = await found(vm);
  assertEquals(key?.state, "bad");
  assertStringIncludes(String(key?.text), "can be read by group or other");
  await Deno.remove(vm.layout.key);
  const none = await runClient(vm, ["doctor"]);
  assertEquals(none.code, 1);
  assertMatch(none.stdout, /^key +BAD +no key configured.*qvm-remote key gen/);
});

vmTest("a dom0 that is connected and silent is bad", async (vm) => {
  const peer = await connectPeer(vm);
  const { session, policy } = await found(vm);
  assertEquals([session?.state, policy?.state], ["bad", "unknown"]);
  assertStringIncludes(String(session?.text), "dom0 is connected; ");
  await peer.close();
});
