// SPDX-License-Identifier: GPL-2.0-or-later
/** A request that brings something: all of it is here and checked before anything else happens. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { sha256Hex } from "../../../shared/io/sha256.ts";
import { type Bytes, concat, utf8 } from "../../../shared/protocol/bytes.ts";
import { PAYLOAD_WINDOW_BYTES } from "../../../shared/protocol/limits.ts";
import type { RequestEvent } from "../../../dom0/judge/request_event.ts";
import { DEFAULT_CONFIG } from "../../../dom0/settings/config.ts";
import { namesIn, requestId, until, withSmallDisk, WORK } from "../fixture.ts";
import {
  deskTest,
  jobOf,
  openWorld,
  script,
  send,
  type Sent,
  turn,
  withWorld,
  type World,
} from "./desk_world.ts";
import { createSeat } from "./seat.ts";
import { stoppedClock } from "../fixture.ts";

const CHUNK = 32 * 1024;

/** A script that reads what it is brought. */
function brings(data: Bytes, n = 1, text = "cat\n", signed = data): Promise<RequestEvent> {
  return script(text, n, { payload: { bytes: signed.length, sha256: sha256Hex(signed) } });
}

/** What a VM does that is asked: `upTo` bytes of it, and no more. */
async function feed(sent: Sent, data: Bytes, upTo = data.length): Promise<void> {
  const { seat } = sent;
  for (let given = -1; given < upTo;) {
    await until("it is asked for", () => seat.pulls.length > 0 || seat.outcomes().length > 0);
    const pull = seat.pulls.shift();
    if (pull === undefined) return;
    const end = Math.min(pull.offset + pull.bytes, upTo);
    for (let at = pull.offset; at < end; at += CHUNK) {
      jobOf(sent).take(data.slice(at, Math.min(at + CHUNK, end)));
    }
    given = end;
    if (end === data.length) return;
  }
}

const kept = ({ folder }: World): readonly string[] => namesIn(`${folder}/payloads`);

const random = (bytes: number): Bytes => {
  const data = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65536) crypto.getRandomValues(data.subarray(at, at + 65536));
  return data;
};

deskTest(
  "payload: a command reads exactly what was signed, and nothing is left of it",
  () =>
    withWorld({}, async (world) => {
      const data = random(3 * PAYLOAD_WINDOW_BYTES + 7);
      const sent = await send(world, await brings(data));
      await feed(sent, data);
      const outcome = await sent.seat.answered;
      assertEquals([outcome.kind, outcome.exitCode], ["done", 0]);
      assertEquals(outcome.out, { bytes: data.length, sha256: sha256Hex(data) });
      await world.desk.idle();
      await turn();
      assertEquals(kept(world), []);
      const record = JSON.parse(
        Deno.readTextFileSync(`${world.folder}/log/audit.jsonl`).split("\n")[0] ?? "",
      );
      assertEquals([record.payload_bytes, record.payload_sha256], [data.length, sha256Hex(data)]);
    }),
);

deskTest("payload: none at all is an empty stdin", () =>
  withWorld({}, async (world) => {
    const sent = await send(world, await brings(utf8(""), 1, "wc -c\n"));
    assertEquals((await sent.seat.answered).kind, "done");
    assertEquals([sent.seat.text(1), sent.seat.pulls], ["0\n", []]);
  }));

deskTest(
  "payload: dom0 asks for one window at most, and for more when half of it came",
  () =>
    withWorld({}, async (world) => {
      const data = random(4 * PAYLOAD_WINDOW_BYTES);
      const sent = await send(world, await brings(data));
      await until("it is asked for", () => sent.seat.pulls.length > 0);
      assertEquals(sent.seat.pulls, [{ offset: 0, bytes: PAYLOAD_WINDOW_BYTES }]);
      jobOf(sent).take(data.slice(0, PAYLOAD_WINDOW_BYTES / 2 - 1));
      assertEquals(sent.seat.pulls.length, 1, "not yet");
      jobOf(sent).take(data.slice(PAYLOAD_WINDOW_BYTES / 2 - 1, PAYLOAD_WINDOW_BYTES / 2));
      const half = PAYLOAD_WINDOW_BYTES / 2;
      assertEquals(sent.seat.pulls[1], { offset: PAYLOAD_WINDOW_BYTES, bytes: half });
      jobOf(sent).stop("cancelled");
      assertEquals((await sent.seat.answered).kind, "cancelled");
    }),
);

for (
  const [name, change] of Object.entries<(data: Bytes) => Bytes>({
    "one bit": (data) => data.map((byte, i) => i === 5 ? byte ^ 1 : byte),
    "two pieces in another order": (data) => concat([data.slice(10), data.slice(0, 10)]),
  })
) {
  deskTest(
    `payload: changed after it was signed (${name}), it is refused and nothing runs`,
    () =>
      withWorld({}, async (world) => {
        const data = random(1000);
        const event = await brings(data, 1, `touch ${world.folder}/ran\n`);
        const sent = await send(world, event);
        await feed(sent, change(data));
        const outcome = await sent.seat.answered;
        assertEquals([outcome.kind, outcome.reason], ["refused", "bad-payload"]);
        assertStringIncludes(sent.seat.text(2), "changed after it was signed");
        assertEquals(namesIn(world.folder).includes("ran"), false);
        assertEquals(kept(world), []);
        assertEquals(world.events(), ["refused bad-payload"]);
      }),
  );
}

deskTest("payload: what the VM cannot read is refused", () =>
  withWorld({}, async (world) => {
    const sent = await send(world, await brings(random(1000)));
    await until("it is asked for", () => sent.seat.pulls.length > 0);
    jobOf(sent).take(new Uint8Array(0));
    assertEquals((await sent.seat.answered).reason, "bad-payload");
    assertStringIncludes(sent.seat.text(2), "the VM could not read all of it");
  }));

deskTest("payload: more than dom0 takes is refused before the first byte", async () => {
  const config = { ...DEFAULT_CONFIG, maxPayloadBytes: 1000 };
  await withWorld({ config }, async (world) => {
    const large = await send(world, await brings(random(1001)));
    assertEquals((await large.seat.answered).reason, "bad-payload");
    assertStringIncludes(large.seat.text(2), "QVM_REMOTE_MAX_PAYLOAD is 1000");
    assertEquals(large.seat.pulls, []);
    const first = await send(world, await brings(random(600), 2));
    await until("it is asked for", () => first.seat.pulls.length > 0);
    const second = await send(world, await brings(random(401), 3));
    assertEquals((await second.seat.answered).reason, "bad-payload");
    assertStringIncludes(second.seat.text(2), "the 600 that other requests of this VM bring");
    jobOf(first).stop("cancelled");
    await first.seat.answered;
    const third = await send(world, await brings(random(1000), 4));
    await until("there is room again", () => third.seat.pulls.length > 0);
  });
});

deskTest(
  "payload: a disk without room is no place for it, and dom0 keeps some for itself",
  () =>
    withWorld({ freeBytes: () => Promise.resolve(600 * 1024 * 1024) }, async (world) => {
      const sent = await send(
        world,
        await script("cat\n", 1, {
          payload: { bytes: 100 * 1024 * 1024, sha256: "0".repeat(64) },
        }),
      );
      assertEquals((await sent.seat.answered).reason, "bad-payload");
      assertStringIncludes(sent.seat.text(2), "dom0 has no room for 104857600 bytes");
      assertEquals([sent.seat.pulls, kept(world)], [[], []]);
    }),
);

deskTest(
  "payload: a disk that is full all the same ends one request and keeps no part",
  () =>
    withSmallDisk(512, async (folder) => {
      const world = await openWorld(folder, stoppedClock(), {
        ...{ action: "allow", closed: null, config: DEFAULT_CONFIG },
      });
      const data = random(700 * 1024);
      const sent = await send(world, await brings(data));
      await feed(sent, data);
      const outcome = await sent.seat.answered;
      assertEquals([outcome.reason, kept(world)], ["bad-payload", []]);
      assertStringIncludes(sent.seat.text(2), "its disk is full");
      const small = await send(world, await brings(utf8("hi\n"), 2));
      await feed(small, utf8("hi\n"));
      assertEquals((await small.seat.answered).kind, "done");
      await world.close();
    }),
);

deskTest(
  "payload: a new session goes on where the one before broke",
  () =>
    withWorld({}, async (world) => {
      const data = random(2 * PAYLOAD_WINDOW_BYTES);
      const event = await brings(data);
      const first = await send(world, event);
      await feed(first, data, 100_000);
      const here = jobOf(first);
      first.seat.close();
      here.detach(first.seat);
      const second = await send(world, event, { seat: createSeat() });
      assertEquals(second.seat.pulls[0]?.offset, 100_000);
      await feed(second, data);
      const { out } = await second.seat.answered;
      assertEquals(out.sha256, sha256Hex(data));
    }),
);

deskTest(
  "payload: another request with the same goes on where the one before ended",
  () =>
    withWorld({}, async (world) => {
      const data = random(200_000);
      const first = await send(world, await brings(data));
      await feed(first, data, 150_000);
      jobOf(first).stop("cancelled");
      await first.seat.answered;
      assertEquals(kept(world), [`${WORK}-${sha256Hex(data)}.part`]);
      const after = await world.restart(); // and after a crash of the daemon
      const second = await send(after, await brings(data, 2));
      await until("it is asked for", () => second.seat.pulls.length > 0);
      assertEquals(second.seat.pulls[0], { offset: 150_000, bytes: 50_000 });
      await feed(second, data);
      assertEquals((await second.seat.answered).out.sha256, sha256Hex(data));
      await after.close();
    }),
);

deskTest(
  "payload: the same twice at once are two, each whole",
  () =>
    withWorld({}, async (world) => {
      const data = random(100_000);
      const [one, two] = [
        await send(world, await brings(data)),
        await send(world, await brings(data, 2)),
      ];
      await Promise.all([feed(one, data), feed(two, data)]);
      for (const { seat } of [one, two]) {
        assertEquals((await seat.answered).out.sha256, sha256Hex(data));
      }
    }),
);

deskTest(
  "payload: a part that nobody comes back for goes after an hour",
  () =>
    withWorld({}, async (world) => {
      const sent = await send(world, await brings(random(1000)));
      await until("it is asked for", () => sent.seat.pulls.length > 0);
      jobOf(sent).stop("cancelled");
      await sent.seat.answered;
      assertEquals(kept(world).length, 1);
      const part = `${world.folder}/payloads/${kept(world)[0]}`;
      const longAgo = new Date(world.clock.dateMs() - 3601_000);
      Deno.utimeSync(part, longAgo, longAgo);
      world.desk.forgetOld();
      assertEquals(kept(world), []);
    }),
);

deskTest("payload: one that stops coming is given up", () =>
  withWorld({}, async (world) => {
    const data = random(1000);
    const sent = await send(world, await brings(data));
    await until("it is asked for", () => sent.seat.pulls.length > 0);
    jobOf(sent).take(data.slice(0, 400));
    world.clock.advance(300_000);
    assertEquals(sent.seat.outcomes(), [], "it moved in that time");
    world.clock.advance(300_000);
    assertEquals((await sent.seat.answered).reason, "bad-payload");
    assertStringIncludes(sent.seat.text(2), "600 bytes of it did not come");
  }));

deskTest(
  "payload: a person is asked when all of it is here, and is shown what it is",
  () =>
    withWorld({ action: "ask", asks: () => Promise.reject(new Error()) }, async (world) => {
      const text = utf8("#!/bin/sh\necho \x1b[31m hello\n");
      const sent = await send(world, await brings(text));
      await until("it is asked for", () => sent.seat.pulls.length > 0);
      assertEquals(world.parking.views(), []);
      await feed(sent, text);
      await until("it waits", () => world.parking.views().length === 1);
      const [view] = world.parking.views();
      assert(view !== undefined);
      assertEquals(view.brings, {
        ...{ bytes: text.length, sha256: sha256Hex(text), type: "a script", isWhole: true },
        head: ["#!/bin/sh", "echo \x1b[31m hello"],
      });
      const by = { user: "root", via: "test" };
      const { vm, id, hash } = view;
      await world.parking.approve({ vm, id, hash, forSeconds: 60, allLike: false }, by);
      assertEquals((await sent.seat.answered).out.sha256, sha256Hex(text));
      // What was granted is these words with this data, and nothing else.
      const other = utf8("other data\n");
      const again = await send(world, await brings(other, 2));
      await feed(again, other);
      await until("it waits", () => world.parking.views().length === 1);
      const same = await send(world, await brings(text, 3));
      await feed(same, text);
      assertEquals((await same.seat.answered).kind, "done");
      assertEquals(world.parking.views().map((one) => one.id), [requestId(2)]);
    }),
);

deskTest(
  "payload: a policy that changes while it comes is the one that counts",
  () =>
    withWorld({}, async (world) => {
      const data = random(1000);
      const sent = await send(world, await brings(data));
      await until("it is asked for", () => sent.seat.pulls.length > 0);
      world.wishes.action = "deny";
      await feed(sent, data);
      const { reason } = await sent.seat.answered;
      assertEquals([reason, kept(world)], ["policy-denied", []]);
    }),
);
