// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { sealEnvelope } from "../../../shared/protocol/envelope.ts";
import { PING_INTERVAL_MS } from "../../../shared/protocol/limits.ts";
import { CAPABILITY_PING, encodeFromVm } from "../../../shared/protocol/message.ts";
import { refusedOutcome } from "../../../shared/protocol/outcome.ts";
import type { CallEnd, QrexecCall } from "../../../shared/io/qrexec_call.ts";
import { createDryRunDesk } from "../../../dom0/judge/dry_run_desk.ts";
import { openLedger, readOnly } from "../../../dom0/record/ledger.ts";
import type { RequestDesk } from "../../../dom0/judge/request_desk.ts";
import { claimOf } from "../../../dom0/judge/request_event.ts";
import { openVmLink, type VmLink } from "../../../dom0/session/vm_link.ts";
import {
  judgedAs,
  KEY,
  requestFields,
  stoppedClock,
  type TestClock,
  until,
  WORK,
} from "../fixture.ts";

interface Scene {
  readonly link: VmLink;
  readonly clock: TestClock;
  /** "connected", "disconnected WHY", "violation WORD". */
  readonly events: readonly string[];
  /** Each call of the service, by the frames that the VM says in it. */
  readonly calls: ReadableStreamDefaultController<Uint8Array>[];
  /** How many frames of a type dom0 sent. */
  sent(type: number): number;
}

const OUTCOME = 0x06;
const HELLO = encodeFromVm({ kind: "hello", version: 2 });
const pong = (token: number) => encodeFromVm({ kind: "pong", token });

/** A link to a VM that says what the test lets it say. */
async function withLink(
  run: (scene: Scene) => Promise<void>,
  more: Partial<RequestDesk> = {},
): Promise<void> {
  const clock = stoppedClock();
  const events: string[] = [];
  const types: number[] = [];
  const calls: Scene["calls"] = [];
  const nothing = () => Promise.resolve();
  const disk = { read: () => Promise.resolve(""), readDates: () => Promise.resolve("") };
  const files = {
    ...disk,
    append: nothing,
    note: nothing,
    replace: nothing,
    replaceDates: nothing,
    close() {},
  };
  const ledger = await openLedger(readOnly(files), clock.dateMs);
  const desk = createDryRunDesk({
    ...{ ledger, clock, say() {}, closedBecause: () => null },
    judge: () => Promise.resolve(judgedAs("deny")),
  });
  const callService = (): QrexecCall => {
    const { promise, resolve } = Promise.withResolvers<CallEnd>();
    let isOver = false;
    const output = new ReadableStream<Uint8Array>({
      start: (vm) => void calls.push(vm),
      cancel: () => void (isOver = true), // it reads no further
    });
    const vm = calls.at(-1);
    return {
      ...{ output, closeInput() {}, ended: promise },
      input: {
        send(frame) {
          types.push(frame[4] ?? 0);
          return nothing();
        },
        backlogBytes: () => 0,
      },
      kill() {
        if (!isOver) vm?.close();
        isOver = true;
        resolve({ code: 255, untrustedStderr: "", stderrFlood: false });
      },
    };
  };
  const link = openVmLink({
    ...{ vm: WORK, key: { key: KEY, acceptsV1: false }, clock, callService },
    desk: { ...desk, ...more },
    ...{ isHalted: () => false, vmUser: () => "DEFAULT", onChange() {}, endWhenIdleMs: 0 },
    audit: {
      record: (event, { why = "", violation = "", refusals_not_recorded = "" }) =>
        void events.push(`${event} ${why}${violation} ${refusals_not_recorded}`.trim()),
      sync: nothing,
      close() {},
    },
  });
  try {
    const sent = (type: number): number => types.filter((known) => known === type).length;
    await run({ link, clock, events, calls, sent });
  } finally {
    await link.stop();
  }
}

async function connect({ link, calls }: Scene): Promise<void> {
  calls.at(-1)?.enqueue(HELLO);
  calls.at(-1)?.enqueue(pong(CAPABILITY_PING));
  await until("it is connected", () => link.state() === "connected");
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("link: a VM that falls silent is a lost connection, and is soon called again", () =>
  withLink(async (scene) => {
    const { link, clock, events, calls } = scene;
    await connect(scene);
    for (let look = 1; look <= 4; look++) clock.advance(PING_INTERVAL_MS);
    // Called again after a quarter of a second: one that broke the protocol waits for a minute.
    await until("it is called again", () => calls.length === 2);
    assertEquals(events, ["connected", "disconnected nothing heard for 80 s"]);
    assertEquals(link.lastEnd(), "nothing heard for 80 s");
  }));

Deno.test("link: a VM that answers pings is heard, however long it asks for nothing", () =>
  withLink(async (scene) => {
    const { clock, events, calls } = scene;
    await connect(scene);
    for (let look = 1; look <= 20; look++) {
      clock.advance(PING_INTERVAL_MS);
      calls[0]?.enqueue(pong(look));
      await turn();
    }
    assertEquals([events, calls.length], [["connected"], 1]);
  }));

const HOUR_MS = 3600 * 1000;

for (
  const [name, sleep] of [
    [
      "the machine slept for an hour: the clock of spans stood still",
      (clock: TestClock) => clock.step(HOUR_MS),
    ],
    ["this process was stopped for an hour", (clock: TestClock) => clock.advance(HOUR_MS)],
    ["the clock is set back by an hour", (clock: TestClock) => clock.step(-HOUR_MS)],
  ] as const
) {
  Deno.test(`link: ${name}, and the session goes on`, () =>
    withLink(async (scene) => {
      const { clock, events, calls } = scene;
      await connect(scene);
      clock.advance(PING_INTERVAL_MS);
      sleep(clock);
      clock.advance(PING_INTERVAL_MS);
      calls[0]?.enqueue(pong(1));
      await turn();
      for (let look = 2; look <= 10; look++) {
        clock.advance(PING_INTERVAL_MS);
        calls[0]?.enqueue(pong(look));
        await turn();
      }
      assertEquals([events, calls.length], [["connected"], 1]);
    }));
}

Deno.test("link: what breaks the protocol is a violation, and is left alone", () =>
  withLink(async (scene) => {
    const { link, events, calls } = scene;
    await connect(scene);
    calls[0]?.enqueue(HELLO);
    await until("it ended", () => link.state() === "waiting");
    assertEquals(events, ["connected", "violation unexpected"]);
  }));

Deno.test("link: refusals past the budget are one record, and end the session", async () => {
  let recorded = 0;
  const receive: RequestDesk["receive"] = (_vm, _key, event, seat) => {
    const { id, nonce } = claimOf(event);
    if (seat.mayRecordRefusal()) recorded++;
    seat.outcome(refusedOutcome(id, nonce, "bad-mac"));
    return Promise.resolve({ refused: "bad-mac" });
  };
  await withLink(async (scene) => {
    const { events, calls, sent } = scene;
    await connect(scene);
    const requests = await Promise.all(Array.from({ length: 44 }, async (_, i) => {
      const envelope = await sealEnvelope(requestFields({ n: i + 1 }), KEY);
      return encodeFromVm({ kind: "request", seq: i + 1, envelope });
    }));
    const ask = (from: number, to: number): void => {
      for (const frame of requests.slice(from, to)) calls[0]?.enqueue(frame);
    };
    ask(0, 20);
    await until("they are answered", () => sent(OUTCOME) === 20);
    for (let n = 1; n <= 20; n++) calls[0]?.enqueue(encodeFromVm({ kind: "ack", seq: n }));
    ask(20, 44);
    await until("it is over", () => events.length === 2);
    assertEquals(recorded, 32);
    assertEquals(events[1]?.replace(/ [0-9]+$/, " N"), "violation too-many-refusals N");
    const counted = Number(events[1]?.split(" ").at(-1));
    assert(counted >= 1 && counted <= 12, `${counted} were counted`);
  }, { receive });
});

Deno.test("link: one that waits is woken, and ends at once when it is stopped", () =>
  withLink(async (scene) => {
    const { link, calls } = scene;
    await connect(scene);
    calls[0]?.enqueue(HELLO); // a violation: it would wait for a minute
    await until("it waits", () => link.state() === "waiting");
    link.wake();
    await until("it is called again", () => calls.length === 2);
    calls[1]?.enqueue(HELLO);
    calls[1]?.enqueue(HELLO);
    await until("it waits", () => link.state() === "waiting");
    await link.stop();
    assertEquals(link.state(), "stopped");
  }));
