// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { utf8 } from "../../../shared/protocol/bytes.ts";
import { MAX_OUTPUT_CHUNK_BYTES } from "../../../shared/protocol/limits.ts";
import type { Outcome } from "../../../shared/protocol/outcome.ts";
import { createJob, type Job } from "../../../dom0/judge/job.ts";
import { createOutcomeStore, type Spool } from "../../../dom0/record/outcome_store.ts";
import type { StopReason } from "../../../dom0/run/runner.ts";
import { createPrng } from "../../fuzz/prng.ts";
import { authentic, NOW_MS, withFolder } from "../fixture.ts";
import { createSeat } from "./seat.ts";

const request = await authentic();

const makeOutcome = (spool: Spool): Outcome => ({
  ...{ id: request.id, nonce: request.nonce, kind: "done", reason: null, exitCode: 0 },
  ...{ startedAtMs: NOW_MS, durationMs: 1, out: spool.summary(1), err: spool.summary(2) },
});

async function withJob(
  run: (job: Job, stops: StopReason[]) => Promise<void> | void,
): Promise<void> {
  await withFolder(async (folder) => {
    const spool = createOutcomeStore(folder).begin(request);
    const stops: StopReason[] = [];
    const onStop = (reason: StopReason): void => void stops.push(reason);
    const job = createJob({ request, sinceMs: NOW_MS, spool, outcome: null, onStop });
    await run(job, stops);
    job.close();
  });
}

Deno.test("job: accepted, then output as it comes, then the outcome once", () =>
  withJob((job) => {
    const seat = createSeat();
    job.attach(seat);
    assertEquals(seat.log, ["accepted"]);
    job.append(1, utf8("one"));
    job.append(2, utf8("err"));
    job.append(1, utf8("two"));
    assertEquals(seat.log, ["accepted", "1@0+3", "2@0+3", "1@3+3"]);
    assertEquals([seat.text(1), seat.text(2)], ["onetwo", "err"]);
    job.finish(makeOutcome);
    job.pump();
    job.pump();
    assertEquals(seat.log.slice(4), ["outcome done"]);
    assertEquals(seat.outcomes()[0]?.out.bytes, 6);
  }));

Deno.test("job: no more is sent than there is room for, and the outcome waits for all of it", () =>
  withJob((job) => {
    const seat = createSeat(5);
    job.attach(seat);
    job.append(1, utf8("0123456789"));
    job.append(2, utf8("abc"));
    job.finish(makeOutcome);
    job.pump();
    assertEquals(seat.log, ["accepted", "1@0+5"]);
    seat.give(6);
    job.pump();
    assertEquals(seat.log.slice(2), ["1@5+5", "2@0+1"]);
    job.pump();
    assertEquals(seat.outcomes(), []);
    seat.give(100);
    job.pump();
    assertEquals(seat.log.slice(4), ["2@1+2", "outcome done"]);
    assertEquals([seat.text(1), seat.text(2)], ["0123456789", "abc"]);
  }));

Deno.test("job: a chunk is never larger than a frame may carry", () =>
  withJob((job) => {
    const seat = createSeat();
    job.attach(seat);
    const bytes = createPrng(7).bytes(3 * MAX_OUTPUT_CHUNK_BYTES + 17);
    job.append(1, bytes);
    assertEquals(seat.log.length, 5);
    assert(seat.chunks.every(({ data }) => data.length <= MAX_OUTPUT_CHUNK_BYTES));
    assertEquals(seat.bytes(1), bytes);
  }));

Deno.test("job: a seat that is left gets nothing more; the next one gets all from the start", () =>
  withJob((job) => {
    const [first, second, third] = [createSeat(), createSeat(4), createSeat()];
    job.attach(first);
    job.append(1, utf8("before "));
    job.detach(first);
    assertEquals(job.hasSeat(), false);
    job.append(1, utf8("between "));
    assertEquals(first.text(1), "before ");

    job.attach(second);
    assertEquals([job.hasSeat(), second.log], [true, ["accepted", "1@0+4"]]);
    job.detach(first); // the first session ends late: it has no say any more
    assertEquals(job.hasSeat(), true);
    job.finish(makeOutcome);
    job.pump();
    assertEquals(second.outcomes(), []);
    job.detach(second);

    job.attach(third);
    assertEquals([third.text(1), third.outcomes().length], ["before between ", 1]);
    assertEquals([first.outcomes().length, second.outcomes().length], [0, 0]);
    job.detach(third);
    const fourth = createSeat();
    job.attach(fourth);
    assertEquals(
      fourth.outcomes(),
      third.outcomes(),
      "not acknowledged: said again to the next seat",
    );
  }));

Deno.test("job: stop() reaches a command that runs, and none that has ended", () =>
  withJob((job, stops) => {
    job.stop("cancelled");
    assertEquals([stops, job.outcome()], [["cancelled"], null]);
    const outcome = job.finish(makeOutcome);
    assertEquals(job.outcome(), outcome);
    job.stop("timeout");
    assertEquals(stops, ["cancelled"]);
  }));

for (let seed = 1; seed <= 30; seed++) {
  Deno.test(`job: whatever the order of output, room and seats, seed ${seed}`, () =>
    withJob((job) => {
      const random = createPrng(seed);
      let seat = createSeat(random.below(100));
      job.attach(seat);
      const whole = { 1: [] as number[], 2: [] as number[] };
      for (let step = 0; step < 120; step++) {
        const choice = random.below(10);
        if (choice < 5) {
          const stream = random.pick([1, 2] as const);
          const bytes = random.bytes(1 + random.below(random.oneIn(8) ? 90_000 : 50));
          for (const byte of bytes) whole[stream].push(byte);
          job.append(stream, bytes);
        } else if (choice < 9) {
          seat.give(random.below(random.oneIn(5) ? 100_000 : 60));
          job.pump();
        } else {
          job.detach(seat);
          seat = createSeat(random.below(100));
          if (random.oneIn(2)) job.append(1, new Uint8Array([7])), whole[1].push(7);
          job.attach(seat);
        }
        assertEquals(seat.outcomes(), [], `seed ${seed}, step ${step}`);
      }
      job.finish(makeOutcome);
      while (seat.outcomes().length === 0) {
        seat.give(50_000);
        job.pump();
      }
      job.pump();
      assertEquals(seat.outcomes().length, 1);
      assertEquals(
        seat.log.at(-1),
        "outcome done",
        `seed ${seed}: something came after the outcome`,
      );
      for (const stream of [1, 2] as const) {
        assertEquals(seat.bytes(stream), new Uint8Array(whole[stream]), `seed ${seed}`);
      }
    }));
}
