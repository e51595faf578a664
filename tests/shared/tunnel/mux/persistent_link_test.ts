// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { concat } from "../../../../shared/protocol/bytes.ts";
import { encodeMux, type MuxMessage } from "../../../../shared/protocol/mux/mux_message.ts";
import { realClock } from "../../../../shared/tunnel/clock.ts";
import { type FailureClass, TunnelFailure } from "../../../../shared/tunnel/failure.ts";
import {
  createPersistentLink,
  type PersistentLink,
} from "../../../../shared/tunnel/mux/persistent_link.ts";
import type { MuxStream } from "../../../../shared/tunnel/mux/mux_stream.ts";
import type { RemoteEnd } from "../../../../shared/tunnel/carry/remote_end.ts";
import { serveMux } from "../../../../vm/tunnel/serve_mux.ts";
import { echoServer, fakeCall, type FarSide, handClock, settle } from "../fixture.ts";

const HELLO = encodeMux({ kind: "hello", version: 1, streams: 1100, windowBytes: 32768 });
const frames = (...messages: MuxMessage[]): Uint8Array => concat(messages.map(encodeMux));

/** Runs the real VM side, to a port of this machine. */
const honest = (port: number, spoil = (bytes: Uint8Array) => bytes) => async (far: FarSide) => {
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port });
  await serveMux(connect, far.input, (bytes) => far.write(spoil(bytes)));
  return 0;
};

function link(
  run: (far: FarSide) => Promise<number>,
  clock = realClock,
  incarnation = () => "",
): { readonly link: PersistentLink; readonly failures: FailureClass[]; calls(): number } {
  const failures: FailureClass[] = [];
  let calls = 0;
  return {
    failures,
    calls: () => calls,
    link: createPersistentLink({
      clock,
      call: () => (calls++, fakeCall(run)),
      isHalted: () => false,
      wasHalted: () => false,
      incarnation,
      onChange: (failure) => {
        if (failure !== null) failures.push(failure.failureClass);
      },
    }),
  };
}

async function opened(link: PersistentLink): Promise<MuxStream> {
  const stream = await link.open();
  assert(stream !== null, "there is no shared stream");
  return stream;
}

async function roundTrip(stream: RemoteEnd, bytes: Uint8Array): Promise<void> {
  const writing = stream.write(bytes).then(() => stream.closeWrite());
  const parts: Uint8Array[] = [];
  for (let part; (part = await stream.read()) !== null;) parts.push(part.slice());
  await writing;
  assertEquals(concat(parts), bytes);
}

const noise = (bytes: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, i) => (i * 31 + (i >> 8) * 7) & 255);

Deno.test("connections over one call: bytes both ways, half-close, many at once", async () => {
  using server = echoServer();
  const { link: one, calls } = link(honest(server.addr.port));
  const streams = await Promise.all(Array.from({ length: 40 }, () => opened(one)));
  await Promise.all(streams.map((stream, i) => roundTrip(stream, noise(100_000 + 1000 * i))));
  assertEquals([calls(), one.state()], [1, "ready"]);
  one.stop();
});

Deno.test("a stalled reader stops its own stream and no other", async () => {
  using server = echoServer();
  const { link: one } = link(honest(server.addr.port));
  const stalled = await opened(one);
  let written = 0;
  const chunk = noise(64 * 1024);
  const writing = (async () => {
    for (; written < 64 * 1024 * 1024; written += chunk.length) await stalled.write(chunk);
  })().catch(() => {});
  for (let before = -1; before !== written;) {
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert(written < 32 * 1024 * 1024, `${written} bytes went to nobody`);
  await roundTrip(await opened(one), noise(2_000_000));
  stalled.abort();
  await writing;
  one.stop();
});

Deno.test("nobody listens, then somebody does: refused, and the session goes on", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const { link: one, calls } = link(honest(port));
  const stream = await opened(one);
  await stream.write(noise(300)).catch(() => {}); // the VM's side need not have answered yet
  for (const ask of [stream.whenOpened, stream.read, () => stream.write(noise(1))]) {
    const refused = await ask().then(() => null, (error) => error);
    assert(refused instanceof TunnelFailure);
    assertEquals(refused.failureClass, "port-refused");
  }
  await stream.gone;
  const again = Deno.listen({ hostname: "127.0.0.1", port });
  (async () => {
    for await (const conn of again) conn.readable.pipeTo(conn.writable).catch(() => {});
  })().catch(() => {});
  await roundTrip(await opened(one), noise(300));
  again.close();
  assertEquals([one.state(), calls()], ["ready", 1]);
  one.stop();
});

Deno.test("the stream cut after every byte of every frame: all ends, nothing hangs", async () => {
  using server = echoServer();
  const payload = noise(300);
  /** What the VM's side sends in a whole session, to know how many places there are to cut. */
  let wire = 0;
  const whole = link(honest(server.addr.port, (bytes) => (wire += bytes.length, bytes)));
  await roundTrip(await opened(whole.link), payload);
  whole.link.stop();
  assert(wire > 340, `${wire} bytes`);
  for (let cut = 0; cut < wire; cut++) {
    let left = cut;
    const run = async (far: FarSide): Promise<number> => {
      const over = Promise.withResolvers<number>();
      const write = async (bytes: Uint8Array): Promise<void> => {
        const part = bytes.subarray(0, left);
        left -= part.length;
        if (part.length > 0) await far.write(part);
        if (part.length < bytes.length) over.resolve(255);
      };
      const connect = () => Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
      serveMux(connect, far.input, write).catch(() => {});
      return await over.promise;
    };
    const { link: one, failures } = link(run);
    const stream = await one.open().catch((error) => error);
    if (stream !== null && !(stream instanceof TunnelFailure)) {
      const got: Uint8Array[] = [];
      const failure = await (async () => {
        await stream.write(payload);
        stream.closeWrite();
        for (let part; (part = await stream.read()) !== null;) got.push(part.slice());
      })().then(() => null, (error: unknown) => error);
      const bytes = concat(got);
      assertEquals(bytes, payload.subarray(0, bytes.length), `cut at ${cut}`);
      if (bytes.length < payload.length) assert(failure instanceof TunnelFailure, `cut at ${cut}`);
    }
    await settle(1);
    assertEquals([one.state(), failures], ["off", ["vm-died"]], `cut at ${cut}`);
  }
});

/** VM sides that break the protocol, with the class it is told as. */
const HOSTILE: readonly (readonly [name: string, sends: Uint8Array])[] = [
  ["text in place of hello", new TextEncoder().encode("Request refused\n")],
  ["opened, never asked for", concat([HELLO, frames({ kind: "opened", stream: 9 })])],
  [
    "data on a strange stream",
    concat([
      HELLO,
      frames({ kind: "data", stream: 5, data: noise(9) }),
    ]),
  ],
  ["a frame above its cap", concat([HELLO, new Uint8Array([0, 1, 0, 0, 0x24])])],
  ["a frame of 4 GiB", concat([HELLO, new Uint8Array([255, 255, 255, 255, 0x24])])],
  ["two hellos", concat([HELLO, HELLO])],
  ["a pong nobody asked for", concat([HELLO, frames({ kind: "pong", token: 1 })])],
];

for (const [name, sends] of HOSTILE) {
  Deno.test(`hostile VM side: ${name}: one closed session, then left alone`, async () => {
    const clock = handClock();
    const { link: one, failures, calls } = link(async (far) => {
      await far.write(sends);
      for await (const _ of far.input);
      return 0;
    }, clock);
    await one.open().catch(() => {});
    await settle();
    assertEquals([one.state(), failures, calls()], ["off", ["protocol"], 1]);
    for (let i = 0; i < 100; i++) assertEquals(await one.open(), null);
    assertEquals(calls(), 1, "not called again at once");
    clock.advance(30_000);
    await one.open().catch(() => {});
    assertEquals(calls(), 2);
    await settle();
    assertEquals(clock.timers(), 0, "nothing is left running");
  });
}

Deno.test("hostile VM side: more data than its window", async () => {
  const { link: one, failures } = link(async (far) => {
    await far.write(HELLO);
    await far.write(frames({ kind: "opened", stream: 1 }));
    const data = noise(32 * 1024);
    for (let i = 0; i < 64; i++) await far.write(frames({ kind: "data", stream: 1, data }));
    return 0;
  });
  const stream = await one.open(); // and never read
  await settle();
  assert(stream !== null);
  assertEquals([one.state(), failures], ["off", ["protocol"]]);
});

Deno.test("hostile VM side: it grants much and never reads: what waits is bounded, then over", async () => {
  const clock = handClock();
  const { link: one, failures } = link(async (far) => {
    await far.write(HELLO);
    const reader = far.input.getReader();
    for (let stream = 0; stream < 8;) { // the hello and the opens, and nothing after them
      const { value } = await reader.read();
      const opens = (value?.length ?? 0) / 9;
      for (let i = 0; Number.isInteger(opens) && i < opens; i++) {
        const grant: MuxMessage = { kind: "window", stream: ++stream, bytes: 4_000_000 };
        await far.write(frames({ kind: "opened", stream }, grant));
      }
    }
    return await new Promise(() => {});
  }, clock);
  const streams = await Promise.all(Array.from({ length: 8 }, () => opened(one)));
  let written = 0;
  const chunk = noise(64 * 1024);
  const writing = streams.map(async (stream) => {
    for (;; written += chunk.length) await stream.write(chunk);
  });
  await settle(100);
  assert(written < 2 * 1024 * 1024, `${written} bytes were taken`);
  for (let i = 0; i < 6; i++) clock.advance(10_000);
  const ends = await Promise.allSettled(writing);
  assertEquals(ends.filter(({ status }) => status === "rejected").length, 8);
  assertEquals([one.state(), failures], ["off", ["no-answer"]]);
});

Deno.test("a VM that falls silent is noticed, and while nothing is open nobody asks", async () => {
  const clock = handClock();
  let silent = false;
  const { link: one, failures } = link(async (far) => {
    await far.write(HELLO);
    await far.write(frames({ kind: "opened", stream: 1 }));
    let token = 0;
    for await (const bytes of far.input) {
      const isPing = bytes[4] === 0x28;
      if (isPing && !silent) await far.write(frames({ kind: "pong", token: ++token }));
    }
    return 0;
  }, clock);
  const stream = await opened(one);
  await stream.whenOpened();
  await settle(); // OPEN is on its way alone, as each ping will be
  for (let minute = 0; minute < 10; minute++) {
    for (let i = 0; i < 6; i++) {
      clock.advance(10_000);
      await settle(3);
    }
  }
  assertEquals([one.state(), failures], ["ready", []], "ten minutes of an idle event stream");
  silent = true;
  for (let i = 0; i < 6; i++) {
    clock.advance(10_000);
    await settle(3);
  }
  assertEquals([one.state(), failures], ["off", ["no-answer"]]);
  const error = await stream.read().catch((error) => error);
  assert(error instanceof TunnelFailure && error.failureClass === "no-answer");
  assertEquals(clock.timers(), 0);
});

Deno.test("24 hours of a VM that comes and goes: bounded calls, no timer left, always back", async () => {
  const clock = handClock();
  const HOUR_S = 3600;
  let up = true;
  let kill = (): void => {};
  const { link: one, calls } = link(async (far) => {
    if (!up) return 125;
    await far.write(HELLO);
    const over = Promise.withResolvers<number>();
    kill = () => over.resolve(255);
    (async () => {
      let next = 0;
      for await (const bytes of far.input) {
        for (let at = 0; at + 5 <= bytes.length;) {
          const length = new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0);
          if (bytes[at + 4] === 0x21) await far.write(frames({ kind: "opened", stream: ++next }));
          at += 4 + length;
        }
      }
    })().catch(() => {});
    return await over.promise;
  }, clock);
  let [carried, without] = [0, 0];
  for (let second = 0; second < 24 * HOUR_S; second += 30) {
    const phase = Math.floor(second / 600) % 3; // ten minutes up, ten down, ten flapping
    up = phase !== 1;
    if (phase === 1 || (phase === 2 && second % 60 === 0)) kill();
    await settle(1);
    const stream = await one.open().catch(() => null);
    if (stream === null) without++;
    else {
      carried++;
      stream.abort();
    }
    clock.advance(30_000);
  }
  const tries = 24 * HOUR_S / 30;
  assertEquals(carried + without, tries);
  assert(carried > tries / 3, `${carried} of ${tries} carried`);
  assert(calls() < tries, `${calls()} calls`);
  one.stop();
  await settle();
  assertEquals(clock.timers(), 0);
});

Deno.test("a late hello is waited for once, by those who came before the time was over", async () => {
  const clock = handClock();
  const hello = Promise.withResolvers<void>();
  const { link: one, failures, calls } = link(async (far) => {
    await hello.promise;
    await far.write(HELLO);
    for await (const _ of far.input);
    return 0;
  }, clock);
  const early = one.open();
  clock.advance(8_000);
  assertEquals(await early, null);
  assertEquals([one.state(), failures], ["connecting", ["no-answer"]]);
  for (let i = 0; i < 10; i++) {
    assertEquals(await one.open(), null, "at once");
    clock.advance(1_000);
  }
  hello.resolve();
  await settle();
  assertEquals([one.state(), calls()], ["ready", 1]);
  assert(await one.open() !== null, "it came after all, and is used");
  one.stop();
});

Deno.test("a VM that never says hello: after the first time nobody waits for it", async () => {
  const clock = handClock();
  const { link: one, failures, calls } = link(() => new Promise(() => {}), clock);
  const early = one.open();
  clock.advance(8_000);
  assertEquals(await early, null);
  clock.advance(52_000);
  assertEquals([one.state(), failures], ["off", ["no-answer", "no-answer"]]);
  clock.advance(30_000);
  assertEquals(await one.open(), null, "with a new call under way, and without its clock moving");
  assertEquals([one.state(), calls()], ["connecting", 2]);
  one.stop();
  await settle();
  assertEquals(clock.timers(), 0);
});

Deno.test("a VM that was started anew is asked at once, whatever the one before did", async () => {
  const clock = handClock();
  let start = 1;
  const { link: one, calls } = link(
    async (far) => {
      if (start === 1) return 127;
      await far.write(HELLO);
      for await (const _ of far.input);
      return 0;
    },
    clock,
    () => `start ${start}`,
  );
  for (let i = 0; i < 5; i++) {
    assertEquals(await one.open(), null);
    await settle();
  }
  assertEquals([one.state(), calls()], ["off", 1]);
  start = 2;
  assert(await one.open() !== null);
  assertEquals(calls(), 2);
  one.stop();
});
