// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One valid session of a VM, cut at every byte, and changed at every byte: against the daemon's
 * own session loop, desk, ledger and runner, in this process, for the daemon pauses between
 * sessions. hostile_stream_test.ts has some of the same end to end.
 *
 * @module
 */

import { realClock } from "../../shared/io/clock.ts";
import { assert, assertEquals } from "@std/assert";
import { DEFAULT_CONFIG } from "../../dom0/settings/config.ts";
import { newestRecords, openAudit } from "../../dom0/record/audit_log.ts";
import { ledgerFile, openLedger } from "../../dom0/record/ledger.ts";
import { createOutcomeStore } from "../../dom0/record/outcome_store.ts";
import { freeBytes } from "../../dom0/payload/free_bytes.ts";
import { createPayloadStore } from "../../dom0/payload/payload_store.ts";
import { createPlanBoard } from "../../dom0/plans/plan_board.ts";
import { createRequestDesk } from "../../dom0/judge/request_desk.ts";
import { createScheduler } from "../../dom0/run/scheduler.ts";
import { sessionGroups } from "../../dom0/run/session_groups.ts";
import { runSession } from "../../dom0/session/vm_session_loop.ts";
import { createWardens } from "../../dom0/run/wardens.ts";
import type { QrexecCall } from "../../shared/io/qrexec_call.ts";
import { within } from "../../shared/io/timing.ts";
import { createSender } from "../../shared/io/byte_stream.ts";
import { parseAuthKey } from "../../shared/protocol/auth_key.ts";
import { asLatin1, type Bytes, concat } from "../../shared/protocol/bytes.ts";
import { encodeFromVm } from "../../shared/protocol/message.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import { parseVmName } from "../../shared/protocol/vm_name.ts";
import { auditPaths, judgedAs } from "../dom0/fixture.ts";
import { scriptFields, sealScript } from "./attack_request.ts";

const vm = parseVmName("work");
const OUTCOME = 0x06;
/** A frame that says it is longer than it is gets no answer. */
const SHORT_MS = 100;
const LONG_MS = 20_000;
const key = await parseAuthKey("4".repeat(64));

Deno.test("one session, cut and changed at every byte", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "qvm-remote-cut-" });
  const audit = openAudit({
    ...auditPaths(folder),
    dateMs: realClock.dateMs,
  });
  const ledger = await openLedger(ledgerFile(`${folder}/ledger`), realClock.dateMs);
  await Deno.mkdir(`${folder}/work`);
  let plays = 0;
  const desk = createRequestDesk({
    config: () => DEFAULT_CONFIG,
    judge: () => Promise.resolve(judgedAs("allow")),
    closedBecause: () => null,
    parking: null,
    admission: { closed: () => null },
    tellRun: null,
    tellBackedOff: null,
    undoing: {
      tools: { read: () => Promise.resolve(null), run: () => Promise.reject(new Error()) },
      keeper: {
        store: { put: () => Promise.resolve() },
        read: () => Promise.reject(new Error("nothing is read")),
        dateMs: realClock.dateMs,
      },
      undo: () => Promise.resolve([]),
      forgetOld() {},
    },
    payloads: createPayloadStore({
      folder: `${folder}/payloads`,
      maxBytes: () => DEFAULT_CONFIG.maxPayloadBytes,
      freeBytes,
      dateMs: realClock.dateMs,
    }),
    plans: createPlanBoard({ folder: `${folder}/plans`, dateMs: realClock.dateMs }),
    informing: {
      about: () => "",
      list: () => Promise.resolve(""),
      explain: () => Promise.resolve(""),
    },
    audit,
    isOnRecord: newestRecords(`${folder}/audit.jsonl`),
    ledger,
    store: createOutcomeStore(`${folder}/outcomes`),
    scheduler: createScheduler(DEFAULT_CONFIG),
    groups: sessionGroups(),
    wardens: createWardens({ newCgroup: () => "", dropCgroup() {} }),
    workFolder: `${folder}/work`,
    markPrefix: `cut-${Deno.pid}-`,
    // An hour for each session: what is backed off is listened to again in the next one.
    clock: { ...realClock, spanMs: () => realClock.spanMs() + plays * 3_600_001 },
    onChange() {},
  });
  const trace = `${folder}/trace`;
  const script = `echo ran >>'${trace}'\n`;
  const ran = (): number => {
    try {
      return Deno.readTextFileSync(trace).split("\n").length - 1;
    } catch {
      return 0;
    }
  };
  const badMacs = (): number =>
    asLatin1(Deno.readFileSync(`${folder}/log`)).split("reason=bad-mac").length - 1;
  /** Plays a VM that sends these bytes and ends. @returns the violation, or null */
  const play = async (wire: Uint8Array, patienceMs: number): Promise<string | null> => {
    plays++;
    try {
      await runSession({
        ...{
          vm,
          key: { key, acceptsV1: false },
          call: callWith(wire, patienceMs),
          desk,
          clock: realClock,
        },
        ...{
          budget: { spend: () => true, takeUnrecorded: () => 0 },
          onReady() {},
          endWhenIdleMs: 0,
        },
      }, new AbortController().signal);
      return null;
    } catch (error) {
      if (error instanceof ProtocolError) return error.violation;
      throw error;
    }
  };
  const greeting = encodeFromVm({ kind: "hello", version: 2 });
  const hello = concat([greeting, encodeFromVm({ kind: "pong", token: 0 })]);
  const wireOf = (envelope: Bytes): Bytes =>
    concat([hello, encodeFromVm({ kind: "request", seq: 1, envelope })]);
  const fields = scriptFields(vm, script);
  const file = await sealScript(vm, key, "", fields);
  const wire = wireOf(file);

  await t.step(`cut at each of ${wire.length} bytes`, async () => {
    for (let bytes = 0; bytes < wire.length; bytes++) {
      const isBorder = [0, greeting.length, hello.length].includes(bytes);
      assertEquals(await play(wire.subarray(0, bytes), 0), isBorder ? null : "cut-off", `${bytes}`);
    }
    await desk.idle();
    assertEquals([ran(), desk.jobs().length, ledger.size()], [0, 0, 0]);
  });
  await t.step("changed at each byte: a violation or a refusal, never a run", async () => {
    for (let at = 0; at < wire.length; at++) {
      const changed = wire.slice();
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      await play(changed, SHORT_MS);
    }
    await desk.idle();
    assertEquals([ran(), desk.jobs().length, ledger.size()], [0, 0, 0]);
    // Most of a request can be changed so that it is still one: the MAC has the last word.
    assert(badMacs() > 80, `${badMacs()}`);
  });
  await t.step("each byte of the request left out, or there twice", async () => {
    for (let at = 0; at < file.length; at++) {
      await play(wireOf(concat([file.subarray(0, at), file.subarray(at + 1)])), SHORT_MS);
      await play(wireOf(concat([file.subarray(0, at + 1), file.subarray(at)])), SHORT_MS);
    }
    await desk.idle();
    assertEquals([ran(), desk.jobs().length, ledger.size()], [0, 0, 0]);
  });
  await t.step("whole, it runs, once", async () => {
    await play(wire, LONG_MS);
    await desk.idle();
    assertEquals(ran(), 1);
    for (const text of [wire, wireOf(await sealScript(vm, key, script, { id: fields.id }))]) {
      await play(text, LONG_MS);
    }
    await desk.idle();
    assertEquals(ran(), 1);
  });
  await t.step("what is recorded is printable", async () => {
    const text = asLatin1(await Deno.readFile(`${folder}/log`));
    assert(text.includes("REFUSED") && text.includes("bad-mac"));
    assertEquals(text.search(/[^\x20-\x7e\n]/), -1);
  });
  for (const job of desk.jobs()) job.close();
  ledger.close();
  audit.close();
  await new Promise((resolve) => setTimeout(resolve, 500)); // the sweep of ended sessions
  await Deno.remove(folder, { recursive: true });
});

/** A VM that sends these bytes, and waits so long for an outcome before it ends the call. */
function callWith(wire: Uint8Array, patienceMs: number): QrexecCall {
  const over = Promise.withResolvers<void>();
  async function* output(): AsyncGenerator<Uint8Array> {
    yield wire;
    if (patienceMs > 0) await within(patienceMs, over.promise);
  }
  const take = (bytes: Uint8Array): Promise<void> => {
    if (bytes[4] === OUTCOME) over.resolve();
    return Promise.resolve();
  };
  return {
    output: ReadableStream.from(output()),
    input: createSender(take, () => {}),
    closeInput() {},
    kill: () => over.resolve(),
    ended: Promise.resolve({ code: 0, untrustedStderr: "", stderrFlood: false }),
  };
}
