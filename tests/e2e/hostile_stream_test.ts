// SPDX-License-Identifier: GPL-2.0-or-later
/** Streams that end, break off or make no sense, and requests that come again after a restart. @module */

import { assert, assertEquals } from "@std/assert";
import { concat, toHex } from "../../shared/protocol/bytes.ts";
import { encodeFromVm } from "../../shared/protocol/message.ts";
import { verifyOutcome } from "../../shared/protocol/outcome.ts";
import { scriptFields, sealScript } from "./attack_request.ts";
import { assertCleanRecords, assertSmall, awaitRecord, tracesIn } from "./hostile_scene.ts";
import { type HostileSession, hostileVm } from "./hostile_vm.ts";
import { type Daemon, install, readAudit, readState, until } from "./installed.ts";
import { createRandom } from "../sim/faults.ts";

const ROUNDS = Number(Deno.env.get("QVM_REMOTE_ROUNDS") ?? "1");
const CUTS = 8 * ROUNDS;
const NOISES = 12 * ROUNDS;
/** Longer than the pause after a session that was lost, far shorter than that after a violation. */
const LEFT_ALONE_MS = 3_000;

/** In sh: a hello, and the pong of a VM that knows no capabilities. */
const GREETING = "printf '\\0\\0\\0\\003\\201\\0\\002\\0\\0\\0\\005\\207\\0\\0\\0\\0'\n";

Deno.test("a stream that is cut or noise", async (t) => {
  await using qubes = await install(["cutter", "noisy", "rude", "bad"].map((name) => ({ name })));
  await using cutter = await hostileVm(qubes, "cutter");
  await using noisy = await hostileVm(qubes, "noisy");
  await using bad = await hostileVm(qubes, "bad");
  const unwoken = bad.callOfItsOwn();
  const daemon = await qubes.startDaemon([]);
  const traces = await tracesIn(qubes);

  await t.step(
    "a session that is lost is soon tried again, unlike one with a violation",
    async () => {
      const lost = await cutter.session();
      await lost.greet();
      lost.close();
      (await cutter.callOfItsOwn()).close();
      const session = await unwoken;
      await session.send(new Uint8Array(16));
      await session.ended;
      await awaitRecord(qubes, { event: "violation", vm: "bad", violation: "bad-frame" });
      await new Promise((resolve) => setTimeout(resolve, LEFT_ALONE_MS));
      assertEquals(bad.calls(), 1, "it called again at once");
      assertEquals(readState(qubes.world)?.vms.find(({ vm }) => vm === "bad")?.state, "waiting");
    },
  );
  await t.step("cut inside a request: nothing runs; whole at last, it runs once", async () => {
    const envelope = await sealScript(cutter.vm, cutter.key, traces.script("cut"));
    const wire = encodeFromVm({ kind: "request", seq: 1, envelope });
    const pong = encodeFromVm({ kind: "pong", token: 0 }); // it knows no capabilities
    const hello = concat([encodeFromVm({ kind: "hello", version: 2 }), pong]);
    const random = createRandom(7);
    for (let n = 0; n < CUTS; n++) {
      const session = await cutter.session();
      await session.next("hello");
      const inHello = n === 0;
      await session.send(inHello ? hello.subarray(0, 3) : hello);
      if (!inHello) {
        await session.next("credit");
        await session.send(wire.subarray(0, 1 + Math.floor(random() * (wire.length - 1))));
      }
      session.close();
    }
    assertEquals(traces.seen().size, 0);
    const session = await cutter.session();
    await session.greet();
    await session.send(wire);
    const { outcome } = await session.next("outcome");
    assertEquals([outcome.kind, traces.seen().get("cut")], ["done", 1]);
    session.close();
    const violations = readAudit(qubes.world).filter(({ event, vm }) =>
      event === "violation" && vm === "cutter"
    );
    assertEquals(violations, []);
  });
  await t.step(`random bytes, ${NOISES} times: a violation each`, async () => {
    const random = createRandom(Date.now());
    for (let n = 0; n < NOISES; n++) {
      const before = readAudit(qubes.world).length;
      const session = await noisy.session();
      if (n % 2 === 0) await session.greet();
      const bytes = Uint8Array.from({ length: 4096 }, () => Math.floor(random() * 256));
      await session.send(bytes);
      await session.ended;
      await awaitRecord(qubes, { event: "violation", vm: "noisy" }, before);
    }
  });
  await t.step("what a call says on stderr is escaped wherever it is shown", async () => {
    qubes.world.installService(
      "rude",
      "qvmremote.Queue",
      `#!/bin/sh\n${GREETING}sleep 0.3\n` +
        "printf '\\033]0;owned\\007\\r\\233 AUTH-OK\\n' >&2\nexit 3\n",
    );
    const keyText = "3".repeat(64);
    assertEquals((await qubes.dom0(["authorize", "--grant", "full", "rude"], keyText)).code, 0);
    const ended = (): string | null =>
      readState(qubes.world)?.vms.find(({ vm }) => vm === "rude")?.lastEnd ?? null;
    await until("its end is known", () => ended() !== null);
    const { stdout } = await qubes.dom0(["status"]);
    assertEquals(stdout.search(/[^\x20-\x7e\n]/), -1, JSON.stringify(stdout));
    assert(stdout.includes("rude"), stdout);
    await awaitRecord(qubes, { event: "disconnected", vm: "rude" });
  });
  await t.step(
    "stderr without end: one record, the session ends, and the VM is left alone",
    async () => {
      qubes.world.installService(
        "rude",
        "qvmremote.Queue",
        `#!/bin/sh\n${GREETING}yes 'AUTH-OK \x1b[2J' >&2\n`,
      );
      await qubes.world.killVm("rude");
      await qubes.world.startVm("rude");
      await awaitRecord(qubes, { event: "violation", vm: "rude", violation: "stderr-flood" });
      const { stdout } = await qubes.dom0(["status"]);
      assert(/^rude +waiting .*stderr-flood: more than 1024 KiB, at last: /m.test(stdout), stdout);
    },
  );
  assertSmall(daemon);
  await assertCleanRecords(qubes, daemon);
  assertEquals(await daemon.stop(), 0);
});

Deno.test("a replay after a restart of the daemon", async (t) => {
  await using qubes = await install([{ name: "replayer" }]);
  await using hostile = await hostileVm(qubes, "replayer");
  const traces = await tracesIn(qubes);
  const { vm, key } = hostile;
  let daemon = await qubes.startDaemon([]);

  for (const how of ["stop", "kill"] as const) {
    await t.step(`after a ${how}`, async () => {
      const acked = scriptFields(vm, traces.script(`${how}-acked`));
      const kept = scriptFields(vm, traces.script(`${how}-kept`));
      const running = scriptFields(vm, `${traces.script(`${how}-running`)}sleep 60\n`);
      const first = await hostile.session();
      await first.greet();
      await request(first, 1, await sealScript(vm, key, "", acked));
      await first.next("outcome");
      await first.say({ kind: "ack", seq: 1 });
      await request(first, 2, await sealScript(vm, key, "", kept));
      await first.next("outcome");
      await request(first, 3, await sealScript(vm, key, "", running));
      await first.next("accepted");
      await until("it runs", () => traces.seen().has(`${how}-running`));
      daemon = await restart(daemon, how);

      const session = await hostile.session();
      await session.greet();
      let seq = 0;
      const answer = async (file: Uint8Array): Promise<string> => {
        await request(session, ++seq, file);
        const { outcome, mac } = await session.next("outcome", (message) => message.seq === seq);
        assert(await verifyOutcome(key, vm, outcome, toHex(mac)), "not signed");
        return outcome.reason ?? outcome.kind;
      };
      const never = (id: typeof acked.id) => sealScript(vm, key, traces.script("never"), { id });
      // Other content under a known id, then the very same bytes.
      assertEquals(await answer(await never(acked.id)), "replay");
      assertEquals(await answer(await sealScript(vm, key, "", acked)), "replay");
      assertEquals(await answer(await never(kept.id)), "replay");
      assertEquals(await answer(await never(running.id)), "replay");
      // What dom0 still owes an answer for is answered, and not run.
      assertEquals(await answer(await sealScript(vm, key, "", kept)), "done");
      const end = how === "stop" ? "stopping" : "interrupted";
      assertEquals(await answer(await sealScript(vm, key, "", running)), end);
      // The same once more in one session.
      assertEquals(await answer(await sealScript(vm, key, "", running)), "replay");
      session.close();
    });
  }
  await t.step("each ran once", async () => {
    const runs = ["acked", "kept", "running"].flatMap((what) => [`stop-${what}`, `kill-${what}`]);
    assertEquals([...traces.seen()].sort(), runs.sort().map((name) => [name, 1]));
    await assertCleanRecords(qubes, daemon);
  });
  assertEquals(await daemon.stop(), 0);

  async function restart(old: Daemon, how: "stop" | "kill"): Promise<Daemon> {
    await old[how]();
    return await qubes.startDaemon([]);
  }
});

async function request(session: HostileSession, seq: number, envelope: Uint8Array): Promise<void> {
  await session.say({ kind: "request", seq, envelope });
}
