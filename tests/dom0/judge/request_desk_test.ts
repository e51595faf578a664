// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { utf8 } from "../../../shared/protocol/bytes.ts";
import {
  MAX_OPEN_REQUESTS,
  MAX_REQUEST_AGE_MS,
  MAX_REQUEST_LEAD_MS,
} from "../../../shared/protocol/limits.ts";
import { createCancelRequest } from "../../../dom0/judge/cancel_request.ts";
import type { RefusalReason } from "../../../shared/protocol/refusal.ts";
import type { Audit } from "../../../dom0/record/audit_log.ts";
import { DEFAULT_CONFIG } from "../../../dom0/settings/config.ts";
import type { StoredKey } from "../../../dom0/settings/key_store.ts";
import type { LedgerDisk } from "../../../dom0/record/ledger.ts";
import type { OutcomeStore } from "../../../dom0/record/outcome_store.ts";
import type { RequestEvent } from "../../../dom0/judge/request_event.ts";
import { removeIfPresent } from "../../../shared/io/sync_files.ts";
import { createPrng } from "../../fuzz/prng.ts";
import {
  argvBody,
  filesBelow,
  LAB,
  NOW_MS,
  processesWith,
  requestId,
  stoppedClock,
  until,
  WORK,
} from "../fixture.ts";
import {
  deskTest,
  jobOf,
  MARKS,
  OTHER_KEY,
  script,
  send,
  type Sent,
  STORED,
  STORED_V1,
  turn,
  v1,
  v2,
  type Wishes,
  withWorld,
  type World,
} from "./desk_world.ts";
import { createSeat, type TestSeat } from "./seat.ts";

/** A file that a command appends to: what ran, and how often. */
const runs = (folder: string): string => {
  try {
    return Deno.readTextFileSync(`${folder}/runs`);
  } catch {
    return "";
  }
};

deskTest(
  "desk: a command is taken, run and answered, and acknowledged it is forgotten",
  () =>
    withWorld({}, async (world) => {
      const sent = await send(world, await script("echo out; echo err >&2; exit 3\n"));
      const outcome = await sent.seat.answered;
      assertEquals([outcome.kind, outcome.exitCode, outcome.reason], ["done", 3, null]);
      assertEquals([sent.seat.text(1), sent.seat.text(2)], ["out\n", "err\n"]);
      assertEquals([outcome.out.bytes, outcome.err.bytes], [4, 4]);
      assertEquals(sent.seat.log[0], "accepted");
      assertEquals(world.events(), ["accepted", "done"]);
      assertEquals(world.desk.jobs().length, 1);
      world.desk.acknowledged(jobOf(sent));
      assertEquals(world.desk.jobs(), []);
      assertEquals(filesBelow(`${world.folder}/outcomes`).size, 0);
      await world.desk.idle();
      assertEquals(filesBelow(`${world.folder}/work`).size, 0);
    }),
);

deskTest(
  "desk: argv runs without a shell, and tells the command who asked",
  () =>
    withWorld({}, async (world) => {
      const body = argvBody("printf", "%s|", "a b", "$HOME", "", "x\ny");
      const { seat } = await send(world, await v2({ mode: "argv", body }));
      await seat.answered;
      assertEquals(seat.text(1), "a b|$HOME||x\ny|");
      const asked = await send(world, await script('echo "$QVM_REMOTE_VM $QVM_REMOTE_ID"', 2));
      await asked.seat.answered;
      assertEquals(asked.seat.text(1), `work ${requestId(2)}\n`);
    }),
);

for (const size of ["a small", "a large"]) {
  deskTest(
    `desk: ${size} script that is an operation runs by the words of the table, step by step`,
    () =>
      withWorld({ argvs: [["printf", "%s|", "$HOME"], ["printf", "two"]] }, async (world) => {
        const blanks = size === "a small" ? "" : "\n".repeat(5000);
        const { seat } = await send(world, await script(`echo by bash${blanks}`));
        assertEquals((await seat.answered).exitCode, 0);
        assertEquals(seat.text(1), "$HOME|two");
      }),
  );
}

/** Each reason with everything after it in the order wrong as well: the first one is the answer. */
const ORDER: readonly {
  readonly name: string;
  readonly reason: RefusalReason;
  readonly wishes?: Partial<Wishes>;
  readonly event: () => Promise<RequestEvent>;
  readonly stored?: StoredKey;
  /** Whether the id counts as taken afterwards. */
  readonly taken: boolean;
}[] = [
  {
    ...{ name: "protocol 1 is not accepted", reason: "v1-not-accepted", taken: false },
    event: () => v1(1, utf8("\0"), OTHER_KEY),
  },
  {
    ...{ name: "a MAC of another key", reason: "bad-mac", taken: false },
    event: () => v2({ vm: LAB, issuedAtMs: 0 + 1e12, body: utf8("") }, OTHER_KEY),
  },
  {
    ...{ name: "a protocol 1 token of another key", reason: "bad-mac", taken: false },
    ...{ event: () => v1(1, utf8("\0"), OTHER_KEY), stored: STORED_V1 },
  },
  {
    ...{ name: "another VM's request", reason: "wrong-vm", taken: false },
    event: () => v2({ vm: LAB, issuedAtMs: 1e12, body: utf8("") }),
  },
  {
    ...{ name: "an old request", reason: "stale", taken: false },
    event: () =>
      v2({ issuedAtMs: stoppedClock().dateMs() - MAX_REQUEST_AGE_MS - 1, body: utf8("") }),
  },
  {
    ...{ name: "a request of the future", reason: "future", taken: false },
    event: () =>
      v2({ issuedAtMs: stoppedClock().dateMs() + MAX_REQUEST_LEAD_MS + 1, body: utf8("") }),
  },
  { name: "an empty script", reason: "bad-body", taken: true, event: () => v2({ body: utf8("") }) },
  { name: "a NUL in a script", reason: "bad-body", taken: true, event: () => script("a\0b") },
  {
    ...{ name: "an argv without its end", reason: "bad-body", taken: true },
    event: () => v2({ mode: "argv", body: utf8("true") }),
  },
  {
    ...{ name: "an argv that is not UTF-8", reason: "bad-body", taken: true },
    event: () => v2({ mode: "argv", body: new Uint8Array([0xff, 0]) }),
  },
  {
    ...{ name: "an operation that there is not", reason: "bad-operation", taken: true },
    event: () => v2({ mode: "op", body: utf8("vm.explode\0") }),
    wishes: { fault: "there is no such operation", closed: null },
  },
  {
    ...{ name: "a NUL in a plan", reason: "bad-body", taken: true },
    event: () => v2({ mode: "plan", body: utf8("{}\0") }),
  },
  {
    ...{ name: "a lockdown", reason: "locked-down", taken: true, event: () => v2() },
    wishes: { closed: "locked-down", action: "deny" },
  },
  {
    ...{ name: "a daemon that stops", reason: "stopping", taken: true, event: () => v2() },
    wishes: { closed: "stopping", action: "deny" },
  },
  {
    ...{ name: "a VM that was revoked meanwhile", reason: "revoked", taken: true },
    ...{ event: () => v2(), wishes: { closed: "revoked", action: "deny" } },
  },
  {
    ...{ name: "a policy that denies", reason: "policy-denied", taken: true, event: () => v2() },
    wishes: { action: "deny", closed: null },
  },
  {
    ...{ name: "a policy that asks", reason: "needs-confirmation", taken: true, event: () => v2() },
    wishes: { action: "ask", closed: null },
  },
];

for (const { name, reason, wishes, event, stored = STORED, taken } of ORDER) {
  deskTest(
    `desk: ${name} is refused as ${reason}, once, and nothing runs`,
    () =>
      withWorld({ action: "deny", closed: "locked-down", ...wishes }, async (world) => {
        const received = await event();
        const { seat, verdict } = await send(world, received, { stored });
        assertEquals(seat.outcomes().length, 1);
        const [outcome] = seat.outcomes();
        assertEquals([outcome?.kind, outcome?.reason, outcome?.exitCode], ["refused", reason, 126]);
        const claimed = received.kind === "request"
          ? received.request.fields.id
          : received.request.id;
        assertEquals(outcome?.id, claimed);
        assertEquals("job" in verdict, taken, "a taken request is kept until it is acknowledged");
        assertEquals(world.ledger.has({ vm: WORK, id: claimed }), taken);
        assertEquals(world.events(), [`refused ${reason}`]);
        await world.desk.idle();
        assertEquals(filesBelow(`${world.folder}/work`).size, 0);
        if (taken) { // a refusal is final: the same request gets the same answer
          jobOf({ seat, verdict }).detach(seat);
          world.wishes.closed = null;
          world.wishes.action = "allow";
          const again = await send(world, received, { stored });
          const answer = again.seat.log.filter((line) => !line.startsWith("2@")); // what is wrong
          assertEquals(answer, ["accepted", `outcome refused ${reason}`]);
        }
      }),
  );
}

deskTest(
  "desk: requests at both ends of the window are taken",
  () =>
    withWorld({}, async (world) => {
      const now = world.clock.dateMs();
      for (
        const [n, issuedAtMs] of [[1, now - MAX_REQUEST_AGE_MS], [
          2,
          now + MAX_REQUEST_LEAD_MS,
        ]] as const
      ) {
        const { seat } = await send(world, await script("true", n, { issuedAtMs }));
        assertEquals((await seat.answered).kind, "done");
      }
    }),
);

deskTest(
  "desk: protocol 1 runs if it is accepted, and its id is good once",
  () =>
    withWorld({}, async (world) => {
      const first = await send(world, await v1(1, utf8("echo one\n")), { stored: STORED_V1 });
      await first.seat.answered;
      assertEquals(first.seat.text(1), "one\n");
      world.desk.acknowledged(jobOf(first));
      for (const body of ["echo one\n", "echo two\n"]) {
        const { seat } = await send(world, await v1(1, utf8(body)), { stored: STORED_V1 });
        assertEquals(seat.log, ["outcome refused replay"]);
      }
      const asV2 = await send(world, await script("echo three\n", 1));
      assertEquals(asV2.seat.log, ["outcome refused replay"]);
    }),
);

/** A request that has run, was answered and acknowledged: it must not run again. */
async function runOnce(world: World): Promise<RequestEvent> {
  const event = await script(`echo x >>${world.folder}/runs`);
  const sent = await send(world, event);
  await sent.seat.answered;
  world.desk.acknowledged(jobOf(sent));
  return event;
}

// F2: in the original an id and its token were good for ever, with any content.
deskTest(
  "desk: a request that was answered and acknowledged is a replay, today and after a restart",
  () =>
    withWorld({}, async (world) => {
      const event = await runOnce(world);
      for (const again of [event, event, await script(`echo y >>${world.folder}/runs`)]) {
        const { seat, verdict } = await send(world, again);
        assertEquals([seat.log, "refused" in verdict], [["outcome refused replay"], true]);
      }
      const next = await world.restart();
      assertEquals((await send(next, event)).seat.log, ["outcome refused replay"]);
      await next.close();
      assertEquals(runs(world.folder), "x\n");
    }),
);

deskTest(
  "desk: the clock goes ahead, another request comes, the clock is right again: no replay",
  () =>
    withWorld({}, async (world) => {
      const event = await runOnce(world);
      world.clock.step(400_000);
      const issuedAtMs = world.clock.dateMs();
      const other = await send(world, await script("true", 2, { issuedAtMs }));
      assertEquals((await other.seat.answered).kind, "done");
      world.clock.step(-400_000);
      world.clock.advance(5_000);
      assertEquals((await send(world, event)).seat.log, ["outcome refused clock"]);
      assertEquals(world.events().at(-1), "refused clock");
      const next = await world.restart();
      const [word] = (await send(next, event)).seat.log;
      assert(["outcome refused clock", "outcome refused replay"].includes(word ?? ""), word);
      await next.close();
      assertEquals(runs(world.folder), "x\n");
    }),
);

deskTest(
  "desk: a request that a lost ledger knew is refused, and does not run again",
  () =>
    withWorld({}, async (world) => {
      const event = await runOnce(world);
      await Deno.remove(`${world.folder}/ledger`);
      const next = await world.restart();
      assertEquals(next.ledger.wasLost, true);
      assertEquals((await send(next, event)).seat.log, ["outcome refused clock"]);
      const soon = await script("true", 2, { issuedAtMs: next.clock.dateMs() + 1_000 });
      assertEquals((await send(next, soon)).seat.log, ["outcome refused clock"]);
      next.clock.advance((next.ledger.refusesUntilMs(2) ?? 0) - next.clock.dateMs());
      const late = await script("true", 3, { issuedAtMs: next.clock.dateMs() });
      assertEquals((await (await send(next, late)).seat.answered).kind, "done");
      await next.close();
      assertEquals(runs(world.folder), "x\n");
    }),
);

deskTest(
  "desk: a step of the clock neither drops an outcome nor stretches a duration",
  () =>
    withWorld({}, async (world) => {
      const sent = await send(world, await script("sleep 1000"));
      world.clock.step(48 * 3600_000);
      world.clock.advance(250);
      jobOf(sent).stop("cancelled");
      const { startedAtMs, durationMs } = await sent.seat.answered;
      assertEquals([startedAtMs, durationMs], [NOW_MS, 250]);
      jobOf(sent).detach(sent.seat);
      world.desk.forgetOld();
      assertEquals(world.desk.jobs().length, 1);
    }),
);

deskTest(
  "desk: another request with the id of one that runs is a replay, and disturbs nothing",
  () =>
    withWorld({}, async (world) => {
      const first = await send(world, await script("sleep 0.2; echo first"));
      const other = await send(world, await script("echo other"));
      assertEquals(other.seat.log, ["outcome refused replay"]);
      assertEquals((await first.seat.answered).kind, "done");
      assertEquals(first.seat.text(1), "first\n");
    }),
);

deskTest("desk: ids of one VM are nothing to another VM", () =>
  withWorld({}, async (world) => {
    const [ofWork, ofLab] = await Promise.all([
      send(world, await script("echo work", 1)),
      send(world, await script("echo lab", 1, { vm: LAB }), { vm: LAB }),
    ]);
    await Promise.all([ofWork.seat.answered, ofLab.seat.answered]);
    assertEquals([ofWork.seat.text(1), ofLab.seat.text(1)], ["work\n", "lab\n"]);
  }));

deskTest(
  "desk: sent again while it runs, a request goes on in the new session, from its start",
  () =>
    withWorld({}, async (world) => {
      const event = await script(`echo x >>${world.folder}/runs; echo one; sleep 0.4; echo two`);
      const first = await send(world, event);
      await until("output", () => first.seat.text(1) === "one\n");
      jobOf(first).detach(first.seat);
      const second = await send(world, event);
      assertEquals(jobOf(second), jobOf(first));
      assertEquals((await second.seat.answered).kind, "done");
      assertEquals([first.seat.log.length, second.seat.text(1)], [2, "one\ntwo\n"]);
      assertEquals([runs(world.folder), world.events()], ["x\n", ["accepted", "resumed", "done"]]);
    }),
);

deskTest(
  "desk: sent again after it ended, a request gets the outcome that was kept",
  () =>
    withWorld({}, async (world) => {
      const event = await script(`echo x >>${world.folder}/runs; echo one; exit 7`);
      const first = await send(world, event);
      const outcome = await first.seat.answered;
      jobOf(first).detach(first.seat);
      world.clock.advance(3600_000); // its date is no reason any more
      const second = await send(world, event);
      assertEquals(await second.seat.answered, outcome);
      assertEquals([second.seat.text(1), runs(world.folder)], ["one\n", "x\n"]);
    }),
);

deskTest(
  "desk: the same request twice in one session: one answer is the command's, one replay",
  () =>
    withWorld({}, async (world) => {
      const event = await script(`echo x >>${world.folder}/runs; sleep 0.1`);
      const sent = await Promise.all([send(world, event), send(world, event), send(world, event)]);
      const outcomes = await Promise.all(sent.map(({ seat }) => seat.answered));
      assertEquals(outcomes.map(({ kind }) => kind).sort(), ["done", "refused", "refused"]);
      // An acknowledged refusal must not be taken for the acknowledged outcome.
      assertEquals(sent.map(({ verdict }) => "job" in verdict).filter(Boolean).length, 1);
      assertEquals(runs(world.folder), "x\n");
    }),
);

deskTest("desk: a session that breaks before the ledger is synced loses no answer", async () => {
  const gate = Promise.withResolvers<void>();
  const ledgerDisk = (disk: LedgerDisk): LedgerDisk => ({
    ...disk,
    append: (text) => gate.promise.then(() => disk.append(text)),
  });
  await withWorld({ ledgerDisk }, async (world) => {
    const event = await script(`echo x >>${world.folder}/runs; echo one`);
    const broken = createSeat();
    const first = send(world, event, { seat: broken });
    await until("it is taken", () => world.desk.jobs().length === 1);
    // The next session brings it again while the first has not even been accepted.
    const second = await send(world, event);
    gate.resolve();
    const { verdict } = await first;
    if ("job" in verdict) verdict.job.detach(broken); // as a session that is over does
    assertEquals((await second.seat.answered).kind, "done");
    assertEquals([second.seat.text(1), runs(world.folder)], ["one\n", "x\n"]);
  });
});

deskTest(
  "desk: a request that waits for its turn can be cancelled, and does not start",
  () =>
    withWorld({ config: { ...DEFAULT_CONFIG, parallel: 1 } }, async (world) => {
      const first = await send(world, await script("sleep 0.3"));
      const waiting = await send(world, await script(`echo x >>${world.folder}/runs`, 2));
      const last = await send(world, await script("echo last", 3));
      jobOf(waiting).stop("cancelled");
      const outcome = await waiting.seat.answered;
      assertEquals([outcome.kind, outcome.exitCode, outcome.startedAtMs], ["cancelled", 130, null]);
      assertEquals((await last.seat.answered).kind, "done");
      assertEquals((await first.seat.answered).kind, "done");
      assertEquals(runs(world.folder), "");
      await world.desk.idle();
    }),
);

deskTest("desk: a request that is cancelled before it is recorded does not start", async () => {
  const gate = Promise.withResolvers<void>();
  const ledgerDisk = (disk: LedgerDisk): LedgerDisk => ({
    ...disk,
    append: (text) => gate.promise.then(() => disk.append(text)),
  });
  await withWorld({ ledgerDisk }, async (world) => {
    const sent = send(world, await script(`echo x >>${world.folder}/runs`));
    await until("it is taken", () => world.desk.jobs().length === 1);
    world.desk.stop("cancelled");
    gate.resolve();
    assertEquals((await (await sent).seat.answered).kind, "cancelled");
    await world.desk.idle();
    assertEquals(runs(world.folder), "");
  });
});

deskTest(
  "desk: a command that runs can be cancelled; what it printed is kept",
  () =>
    withWorld({}, async (world) => {
      const mark = crypto.randomUUID();
      const sent = await send(world, await script(`echo one; sleep 1000 # ${mark}\necho two`));
      await until("output", () => sent.seat.text(1) !== "");
      jobOf(sent).stop("cancelled");
      jobOf(sent).stop("timeout");
      const outcome = await sent.seat.answered;
      assertEquals([outcome.kind, outcome.exitCode, outcome.out.bytes], ["cancelled", 130, 4]);
      await world.desk.idle();
      await until("no process is left", () => processesWith(MARKS).length === 0);
      jobOf(sent).stop("cancelled"); // too late, and no harm
      assertEquals(world.events(), ["accepted", "cancelled"]);
    }),
);

deskTest(
  "desk: the operator ends one request by its name, on record, and no other",
  () =>
    withWorld({}, async (world) => {
      const one = await send(world, await script("echo one; sleep 1000"));
      const other = await send(world, await script("echo other; sleep 1000", 2));
      await until("output", () => one.seat.text(1) !== "" && other.seat.text(1) !== "");
      const cancel = createCancelRequest(world.desk.jobs, world.audit);
      const { vm, id } = jobOf(one).request;
      assertEquals((await cancel({ vm: "lab", id }, "ann")).ok, false, "of another VM");
      assertEquals(await cancel({ vm, id }, "ann"), { ok: true, text: `${id} of work is ended` });
      assertEquals((await one.seat.answered).kind, "cancelled");
      assertEquals(jobOf(other).outcome(), null);
      assertMatch((await cancel({ vm, id }, "ann")).text, /has ended already/);
      assertEquals(world.events().slice(-2), ["operator", "cancelled"]);
      jobOf(other).stop("cancelled");
      await world.desk.idle();
    }),
);

deskTest(
  "desk: stop() ends all of one VM, waiting and running, and nothing of another or of later",
  () =>
    withWorld({ config: { ...DEFAULT_CONFIG, parallelPerVm: 2 } }, async (world) => {
      const ofWork = await Promise.all([1, 2, 3, 4].map(async (n) => {
        return await send(world, await script("sleep 1000", n));
      }));
      const ofLab = await send(world, await script("sleep 0.3", 9, { vm: LAB }), { vm: LAB });
      const { ended } = world.desk.stop("revoked", WORK);
      const later = await send(world, await script("echo later", 5));
      await ended;
      const outcomes = await Promise.all(ofWork.map(({ seat }) => seat.answered));
      assertEquals(outcomes.map(({ kind }) => kind), Array(4).fill("revoked"));
      assertEquals(outcomes.map(({ exitCode }) => exitCode), Array(4).fill(126));
      assertEquals((await ofLab.seat.answered).kind, "done");
      assertEquals([(await later.seat.answered).kind, later.seat.text(1)], ["done", "later\n"]);
    }),
);

deskTest(
  "desk: a VM is told when its session has acknowledged, or is over",
  () =>
    withWorld({}, async (world) => {
      const sent = [
        await send(world, await script("sleep 1000", 1)),
        await send(world, await v2({ n: 2 })),
      ];
      const [first, second] = sent.map(jobOf);
      const left = await send(world, await script("sleep 1000", 3));
      jobOf(left).detach(left.seat);
      let isTold = false;
      const { ended, told } = world.desk.stop("locked-down");
      told.then(() => isTold = true);
      await ended;
      assertEquals(jobOf(left).outcome()?.kind, "locked-down", "nobody to tell: it is kept");
      for (const { seat } of sent) await seat.answered;
      if (first !== undefined) world.desk.acknowledged(first);
      await turn();
      assertEquals(isTold, false, "one is on its way");
      if (sent[1] !== undefined) second?.detach(sent[1].seat);
      await told;
      assertEquals(world.desk.jobs().map(({ request }) => request.id), [
        requestId(2),
        requestId(3),
      ]);
    }),
);

deskTest(
  "desk: what is stopped while the ledger is written does not run, and its VM is told",
  () => {
    const { promise: written, resolve: write } = Promise.withResolvers<void>();
    const ledgerDisk = (disk: LedgerDisk): LedgerDisk => ({
      ...disk,
      append: (text) => written.then(() => disk.append(text)),
    });
    return withWorld({ ledgerDisk }, async (world) => {
      const sending = send(world, await script("echo never"));
      await until("it is taken", () => world.desk.jobs().length === 1);
      const { ended, told } = world.desk.stop("revoked", WORK);
      let isTold = false;
      told.then(() => isTold = true);
      write();
      await ended;
      const sent = await sending;
      await turn();
      assertEquals([sent.seat.log, isTold], [["accepted", "outcome revoked"], false]);
      world.desk.acknowledged(jobOf(sent));
      await told;
    });
  },
);

deskTest(
  "desk: the limit of time is the request's, and never more than the configuration's",
  () =>
    withWorld({ config: { ...DEFAULT_CONFIG, maxTimeoutMs: 400 } }, async (world) => {
      const sent = await Promise.all([
        send(world, await script("echo a; sleep 1000", 1, { timeoutMs: 200 })),
        send(world, await script("echo b; sleep 1000", 2, { timeoutMs: 3600_000 })),
      ]);
      for (const { seat } of sent) {
        const outcome = await seat.answered;
        assertEquals([outcome.kind, outcome.exitCode, outcome.out.bytes], ["timeout", 124, 2]);
      }
    }),
);

deskTest(
  "desk: a command that cannot be started is answered, and its slot is free again",
  () =>
    withWorld({ config: { ...DEFAULT_CONFIG, parallel: 1 } }, async (world) => {
      // One word longer than the kernel takes (MAX_ARG_STRLEN).
      const body = argvBody("true", "x".repeat(200_000));
      for (const n of [1, 2]) {
        const { seat } = await send(world, await v2({ n, mode: "argv", body }));
        const outcome = await seat.answered;
        assertNotEquals(outcome.kind, "refused");
        assertNotEquals(outcome.exitCode, 0);
      }
      const { seat } = await send(world, await script("echo fine", 3));
      assertEquals([(await seat.answered).kind, seat.text(1)], ["done", "fine\n"]);
      await world.desk.idle();
    }),
);

deskTest(
  "desk: no more than 64 requests of a VM are open or kept",
  () =>
    withWorld({}, async (world) => {
      const body = utf8(""); // refused, but kept
      const sent: Sent[] = [];
      for (let n = 1; n <= MAX_OPEN_REQUESTS; n++) {
        sent.push(await send(world, await v2({ n, body })));
      }
      const more = await send(world, await v2({ n: 65 }));
      assertEquals(more.seat.log, ["outcome refused overloaded"]);
      assertEquals(world.ledger.has({ vm: WORK, id: requestId(65) }), false, "it may come again");
      const ofLab = await send(world, await v2({ n: 65, vm: LAB }), { vm: LAB });
      assertEquals((await ofLab.seat.answered).kind, "done");
      const [first] = sent;
      if (first !== undefined) world.desk.acknowledged(jobOf(first));
      const again = await send(world, await v2({ n: 65 }));
      assertEquals((await again.seat.answered).kind, "done");
    }),
);

deskTest(
  "desk: outcomes that nobody fetched are kept for a day, and those with a seat longer",
  () =>
    withWorld({}, async (world) => {
      const [left, seated] = [
        await send(world, await script("true", 1)),
        await send(world, await script("true", 2)),
      ];
      await Promise.all([left.seat.answered, seated.seat.answered]);
      const running = await send(world, await script("sleep 1000", 3));
      jobOf(left).detach(left.seat);
      jobOf(running).detach(running.seat);
      world.clock.advance(24 * 3600_000 - 1);
      world.desk.forgetOld();
      assertEquals(world.desk.jobs().length, 3);
      world.clock.advance(2);
      world.desk.forgetOld();
      assertEquals(world.desk.jobs().map(({ request }) => request.id), [
        requestId(2),
        requestId(3),
      ]);
      assert(world.events().includes("outcome-expired"));
    }),
);

const failing = (): never => {
  throw new Error("no space left on device");
};

/** Full from the moment on that it has been opened. */
const fullDisk = (disk: LedgerDisk): LedgerDisk => {
  const full = () => Promise.reject(new Error("no space left on device"));
  let opened = false;
  const replace = (text: string): Promise<void> => {
    if (opened) return full();
    opened = true;
    return disk.replace(text);
  };
  return { ...disk, append: full, replace };
};

const NOT_RECORDED: readonly (readonly [string, Partial<Wishes>])[] = [
  ["the ledger", { ledgerDisk: fullDisk }],
  ["the outcome store", { store: (store) => ({ ...store, begin: failing }) }],
  ["the audit", { audit: (audit) => ({ ...audit, record: failing }) }],
  ["a sync of the audit", {
    audit: (audit) => ({ ...audit, sync: () => Promise.reject(new Error("i/o error")) }),
  }],
];

for (const [name, wishes] of NOT_RECORDED) {
  deskTest(
    `desk: if the disk refuses ${name}, nothing runs, and the answer is not-recorded`,
    () =>
      withWorld(wishes, async (world) => {
        const error = console.error;
        console.error = () => {}; // says that the audit cannot be written
        try {
          for (const n of [1, 2]) {
            const { seat } = await send(world, await script(`echo x >>${world.folder}/runs`, n));
            assertEquals(seat.log.at(-1), "outcome refused not-recorded");
          }
          await world.desk.idle();
          assertEquals(runs(world.folder), "");
        } finally {
          console.error = error;
        }
      }),
  );
}

deskTest("desk: once a command has run, a full disk keeps nothing from the VM", () => {
  let full = false;
  const store = (real: OutcomeStore): OutcomeStore => ({
    ...real,
    finish: (vm, outcome) => full ? failing() : real.finish(vm, outcome),
  });
  const audit = (real: Audit): Audit => ({
    ...real,
    record: (event, fields) => full ? failing() : real.record(event, fields),
  });
  return withWorld({ store, audit }, async (world) => {
    const error = console.error;
    console.error = () => {};
    try {
      const event = await script("echo one; sleep 0.1; exit 5");
      const first = await send(world, event);
      full = true;
      const outcome = await first.seat.answered;
      assertEquals([outcome.kind, outcome.exitCode, first.seat.text(1)], ["done", 5, "one\n"]);
      jobOf(first).detach(first.seat);
      const second = await send(world, event); // resumed, though that cannot be recorded
      assertEquals(await second.seat.answered, outcome);
      jobOf(second).detach(second.seat);
      world.clock.advance(25 * 3600_000);
      world.desk.forgetOld(); // on a timer: it must not throw
      assertEquals(world.desk.jobs(), []);
    } finally {
      console.error = error;
      full = false;
    }
  });
});

deskTest("desk: output that its disk refuses ends the command, which is answered", () => {
  const store = (real: OutcomeStore): OutcomeStore => ({
    ...real,
    begin: (request) => ({ ...real.begin(request), append: failing }),
  });
  return withWorld({ store }, async (world) => {
    const { seat } = await send(world, await script("echo one; sleep 1000"));
    assertEquals((await seat.answered).kind, "output-limit");
    assert(world.events().includes("spool-failed"));
    await world.desk.idle();
  });
});

deskTest(
  "desk: after a crash, what ran is answered as interrupted, once, and does not run again",
  () =>
    withWorld({}, async (world) => {
      const event = await script(`echo x >>${world.folder}/runs; echo one; sleep 1000`, 1);
      const first = await send(world, event);
      const done = await send(world, await script("exit 4", 2));
      await done.seat.answered;
      await until("output", () => first.seat.text(1) === "one\n");

      const next = await world.restart(); // the first daemon is as dead as a test can have it
      assertEquals(next.events().filter((name) => name === "interrupted").length, 1);
      const again = await send(next, event);
      const outcome = await again.seat.answered;
      assertEquals([outcome.kind, outcome.exitCode, again.seat.text(1)], [
        "interrupted",
        130,
        "one\n",
      ]);
      assertEquals(
        (await send(next, event)).seat.log,
        ["outcome refused replay"],
        "its seat is taken",
      );
      const kept = await send(next, await script("exit 4", 2));
      assertEquals((await kept.seat.answered).exitCode, 4);
      const other = await send(next, await script("echo other", 1));
      assertEquals(other.seat.log, ["outcome refused replay"]);
      next.desk.acknowledged(jobOf(again));
      await next.close();

      const last = await world.restart();
      assertEquals((await send(last, event)).seat.log, ["outcome refused replay"]);
      assertEquals(last.events().filter((name) => name === "interrupted").length, 1);
      await last.close();
      assertEquals(runs(world.folder), "x\n");
    }),
);

/** What a power cut may leave of outcomes/, where nothing is synced: each file whole, or not. */
const LEFT: readonly (readonly [string, (path: string) => void])[] = [
  [
    "nothing",
    (path) => ["request", "out", "meta"].forEach((end) => removeIfPresent(`${path}.${end}`)),
  ],
  ["no request", (path) => void removeIfPresent(`${path}.request`)],
  ["an empty request", (path) => Deno.writeTextFileSync(`${path}.request`, "")],
  ["no outcome", (path) => void removeIfPresent(`${path}.meta`)],
  ["an empty outcome", (path) => Deno.writeTextFileSync(`${path}.meta`, "")],
  ["no output", (path) => void removeIfPresent(`${path}.out`)],
  ["a part of the output", (path) => Deno.truncateSync(`${path}.out`, 2)],
];

for (const [left, cut] of LEFT) {
  deskTest(
    `desk: after a power cut that left ${left}, what ran is answered, not refused or run again`,
    () =>
      withWorld({}, async (world) => {
        const text = `echo x >>${world.folder}/runs; echo one; `;
        const done = await send(world, await script(`${text}exit 3`, 1));
        await done.seat.answered;
        const running = await send(world, await script(`${text}sleep 1000`, 2));
        await until("output", () => running.seat.text(1) === "one\n");
        const acknowledged = await script(`${text}exit 3`, 4);
        const last = await send(world, acknowledged);
        await last.seat.answered;
        world.desk.acknowledged(jobOf(last));
        await send(world, await script("true", 5)); // its entry takes the note of the ack along

        for (const n of [1, 2]) cut(`${world.folder}/outcomes/work/${requestId(n)}`);
        const next = await world.restart();
        for (const [n, end] of [[1, "exit 3"], [2, "sleep 1000"]] as const) {
          const event = await script(text + end, n);
          const { seat, verdict } = await send(next, event);
          const outcome = await seat.answered;
          assertEquals([outcome.kind, outcome.exitCode], ["interrupted", 130], `request ${n}`);
          assertEquals(outcome.out.bytes, seat.bytes(1).length);
          assertEquals((await send(next, event)).seat.log, ["outcome refused replay"]);
          next.desk.acknowledged(jobOf({ seat, verdict }));
          assertEquals((await send(next, event)).seat.log, ["outcome refused replay"]);
        }
        assertEquals((await send(next, acknowledged)).seat.log, ["outcome refused replay"]);
        // Another request with the id of a lost one is another request.
        const forged = await send(next, await script("echo forged", 2));
        assertEquals(forged.seat.log, ["outcome refused replay"]);
        await next.close();
        assertEquals(runs(world.folder), "x\nx\nx\n");
      }),
  );
}

deskTest(
  "desk: a refusal over its VM's budget is answered, and not recorded",
  () =>
    withWorld({ action: "deny" }, async (world) => {
      const seat = (): TestSeat => ({
        ...createSeat(),
        records: false,
        mayRecordRefusal: () => false,
      });
      const one = await send(world, await v2({}, OTHER_KEY), { seat: seat() });
      const other = await send(world, await v2({ n: 2 }), { seat: seat() });
      assertEquals([one.seat.log, other.seat.log], [
        ["outcome refused bad-mac"],
        ["accepted", "outcome refused policy-denied"],
      ]);
      await send(world, await v2({ n: 3 }));
      assertEquals(world.events(), ["refused policy-denied"]);
    }),
);

deskTest(
  "desk: a record has 200 characters of a command, and the hash of all of it",
  () =>
    withWorld({}, async (world) => {
      const { seat } = await send(world, await script(`true ${"\u{e9}".repeat(5000)}`));
      await seat.answered;
      const [line = ""] = Deno.readTextFileSync(`${world.folder}/log/audit.jsonl`).split("\n");
      const { command, body_bytes, body_sha256 } = JSON.parse(line);
      assertEquals([command.length, body_bytes, body_sha256.length], [200, 10_005, 64]);
      assert(line.length < 2_000, `${line.length} bytes`);
    }),
);

deskTest(
  "desk: a session that breaks over and over is recorded a few times",
  () =>
    withWorld({}, async (world) => {
      const event = await script("sleep 1000");
      let sent = await send(world, event);
      for (let n = 0; n < 50; n++) {
        jobOf(sent).detach(sent.seat);
        sent = await send(world, event);
      }
      assertEquals(world.events().filter((name) => name === "resumed").length, 7);
    }),
);

deskTest("desk: a lost request is answered though nothing can be kept of that", () => {
  let full = false;
  const store = (real: OutcomeStore): OutcomeStore => ({
    ...real,
    begin: (request) => full ? failing() : real.begin(request),
  });
  return withWorld({ store }, async (world) => {
    const event = await script(`echo x >>${world.folder}/runs`);
    const { seat } = await send(world, event);
    await seat.answered;
    await Deno.remove(`${world.folder}/outcomes`, { recursive: true });
    full = true;
    const next = await world.restart();
    assertEquals((await send(next, event)).seat.log, ["outcome interrupted"]);
    await next.close();
    assertEquals(runs(world.folder), "x\n");
  });
});

for (const what of ["the ledger", "the audit"] as const) {
  deskTest(`desk: nothing starts before ${what} is on the disk`, () => {
    const { promise: synced, resolve: sync } = Promise.withResolvers<void>();
    const waits = what === "the ledger"
      ? {
        ledgerDisk: (disk: LedgerDisk) => ({
          ...disk,
          append: (text: string) => synced.then(() => disk.append(text)),
        }),
      }
      : { audit: (audit: Audit) => ({ ...audit, sync: () => synced.then(() => audit.sync()) }) };
    return withWorld(waits, async (world) => {
      const sending = send(world, await script(`echo x >>${world.folder}/runs`));
      const log = `${world.folder}/log/log`;
      await until("it is recorded", () => filesBelow(`${world.folder}/log`).get(log) !== undefined);
      for (let turns = 0; turns < 20; turns++) await turn();
      assertEquals([world.desk.jobs().length, runs(world.folder)], [1, ""]);
      sync();
      await (await sending).seat.answered;
      assertEquals([runs(world.folder), world.events()], ["x\n", ["accepted", "done"]]);
    });
  });
}

deskTest(
  "desk: an outcome that a crash kept out of the audit is recorded by the next daemon, once",
  () => {
    let isDead = false;
    const audit = (real: Audit): Audit => ({
      ...real,
      record: (event, fields) =>
        isDead && event === "done" ? failing() : real.record(event, fields),
    });
    return withWorld({ audit }, async (world) => {
      const error = console.error;
      console.error = () => {};
      const recorded = await send(world, await script("exit 1", 1));
      await recorded.seat.answered;
      isDead = true;
      const missing = await send(world, await script("echo ab; exit 2", 2));
      await missing.seat.answered;
      console.error = error;
      assertEquals(world.events(), ["accepted", "done", "accepted"]);
      isDead = false;
      for (let start = 1; start <= 2; start++) {
        const next = await world.restart();
        assertEquals(next.events(), ["accepted", "done", "accepted", "done"], `start ${start}`);
        await next.close();
      }
    });
  },
);

deskTest(
  "desk: of 64 kept outcomes one that no session asked for makes room for a new request",
  () =>
    withWorld({}, async (world) => {
      const sent: Sent[] = [];
      for (let n = 1; n <= MAX_OPEN_REQUESTS; n++) {
        sent.push(await send(world, await v2({ n, body: utf8("") })));
      }
      const [first] = sent;
      if (first !== undefined) jobOf(first).detach(first.seat);
      const { seat } = await send(world, await script("true", 65));
      assertEquals((await seat.answered).kind, "done");
      assertEquals(world.desk.jobs().length, MAX_OPEN_REQUESTS);
      assertEquals((await send(world, await script("true", 66))).seat.log, [
        "outcome refused overloaded",
      ]);
    }),
);

deskTest(
  "desk: a request whose session ended while it was judged does nothing, drops nothing",
  () =>
    withWorld({}, async (world) => {
      const kept: Sent[] = [];
      for (let n = 1; n <= MAX_OPEN_REQUESTS; n++) {
        kept.push(await send(world, await v2({ n, body: utf8("") })));
      }
      // The session ends: none has a seat any more, and the VM will ask for all of them again.
      for (const sent of kept) jobOf(sent).detach(sent.seat);
      const seat = createSeat();
      seat.close();
      const late = await script("true", 65);
      assertEquals((await send(world, late, { seat })).verdict, { observed: true });
      assertEquals(world.desk.jobs().length, MAX_OPEN_REQUESTS);
      assertEquals([seat.log, world.ledger.size()], [[], MAX_OPEN_REQUESTS]);
    }),
);

for (let seed = 1; seed <= 3; seed++) {
  deskTest(
    `desk: a storm of doubled requests runs each id once, seed ${seed}`,
    () =>
      withWorld({ config: { ...DEFAULT_CONFIG, parallel: 4 } }, async (world) => {
        const random = createPrng(seed);
        const events = await Promise.all(
          Array.from(
            { length: 12 },
            (_, n) => script(`echo ${n} >>${world.folder}/runs; exit ${n}`, n),
          ),
        );
        const forged = await Promise.all(
          Array.from({ length: 12 }, (_, n) => script(`echo forged >>${world.folder}/runs`, n)),
        );
        const isSent = new Set<number>();
        const sent: Promise<Sent>[] = [];
        for (let step = 0; step < 150; step++) {
          const n = random.below(events.length);
          // The first of an id is the real one: which of two comes first decides, by design.
          const event = isSent.has(n) && random.oneIn(3) ? forged[n] : events[n];
          isSent.add(n);
          if (event === undefined) throw new Error("bug: no such event");
          const one = send(world, event);
          sent.push(one);
          if (random.oneIn(4)) await one;
          if (random.oneIn(6)) { // a session breaks
            const { verdict, seat } = await one;
            if ("job" in verdict) verdict.job.detach(seat);
          }
          if (random.oneIn(10)) {
            await new Promise((resolve) => setTimeout(resolve, random.below(20)));
          }
        }
        await Promise.all(sent);
        await world.desk.idle();
        for (const job of world.desk.jobs()) {
          const n = events.findIndex((event) =>
            event.kind === "request" && event.request.fields.id === job.request.id
          );
          assertEquals(job.outcome()?.exitCode, n, `seed ${seed}: the answer of ${n}`);
        }
        const lines = runs(world.folder).trimEnd().split("\n").map(Number).sort((a, b) => a - b);
        assertEquals(lines, [...isSent].sort((a, b) => a - b), `seed ${seed}`);
        await until("no process is left", () => processesWith(MARKS).length === 0);
      }),
  );
}
