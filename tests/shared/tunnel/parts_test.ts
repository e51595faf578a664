// SPDX-License-Identifier: GPL-2.0-or-later
/** The small parts of the tunnel. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseOpenclawConf } from "../../../shared/io/openclaw_conf.ts";
import { UsageError } from "../../../shared/cli/program.ts";
import { parseLoopback, parsePortRoute } from "../../../shared/io/tcp_port.ts";
import { concat } from "../../../shared/protocol/bytes.ts";
import { createBatchSender } from "../../../shared/tunnel/mux/batch_sender.ts";
import { createByteQueue } from "../../../shared/tunnel/mux/byte_queue.ts";
import { callFailure, TunnelFailure } from "../../../shared/tunnel/failure.ts";
import { createDeadlines } from "../../../shared/tunnel/mux/deadlines.ts";
import { createFairSlots } from "../../../shared/tunnel/mux/fair_slots.ts";
import { createLinkBackoff } from "../../../shared/tunnel/mux/link_backoff.ts";
import { createQuietLog } from "../../../shared/tunnel/quiet_log.ts";
import { createRefusals } from "../../../shared/tunnel/carry/refusals.ts";
import { createPrng } from "../../fuzz/prng.ts";
import { callEnd, handClock } from "./fixture.ts";

Deno.test("loopback, however it is spelt, and nothing else", () => {
  for (const good of ["127.0.0.1", "localhost", "::1", "[::1]"]) {
    assertEquals(parseLoopback(good), good.includes("::1") ? "::1" : "127.0.0.1");
  }
  const bad = ["0.0.0.0", "::", "[::]", "127.0.0.2", "127.1", "0x7f000001", "2130706433", "", "*"];
  bad.push("192.168.0.1", "localhost.", "LOCALHOST", "::ffff:127.0.0.1", "::1%lo", "127.0.0.1\n");
  for (const address of bad) assertThrows(() => parseLoopback(address), UsageError, "loopback");
});

Deno.test("[ADDR:]PORT[:REMOTE], and what is none", () => {
  const show = (text: string): string => {
    const { address, port, remotePort } = parsePortRoute(text);
    return `${address} ${port} ${remotePort}`;
  };
  const good: readonly (readonly [string, string])[] = [
    ["80", "127.0.0.1 80 80"],
    ["80:8080", "127.0.0.1 80 8080"],
    ["127.0.0.1:80", "127.0.0.1 80 80"],
    ["localhost:80:81", "127.0.0.1 80 81"],
    ["[::1]:80:65535", "::1 80 65535"],
  ];
  for (const [text, want] of good) assertEquals(show(text), want);
  const bad = ["", ":", "80:", ":80", "0", "65536", "080", "80:0", "+80", "80 ", "80:81:82", "a"];
  bad.push("0.0.0.0:80", "10.0.0.1:80", "[::]:80", "::1:80", "80:x", "127.0.0.1", "127.0.0.1:");
  for (const text of bad) assertThrows(() => parsePortRoute(text), UsageError);
});

Deno.test("openclaw.conf: the original's lines, and each bad one by its number", () => {
  const text = '# agent\nOPENCLAW_VM="my-agent"  # here\n\nOPENCLAW_PROXY_PORT=1234\n' +
    "OPENCLAW_GATEWAY_PORT='18789'\n";
  const { conf, problems } = parseOpenclawConf(text);
  assertEquals(problems, []);
  assertEquals([`${conf.vm}`, Number(conf.proxyPort), +conf.gatewayPort], [
    "my-agent",
    1234,
    18789,
  ]);
  const bad = "OPENCLAW_VM=dom0\nOPENCLAW_PROXY_PORT=65536\nexport A=1\nOPENCLAW_PROT=1\n" +
    "OPENCLAW_GATEWAY_PORT=$(id)\nOPENCLAW_VM=x\nOPENCLAW_GATEWAY_PORT=1\n";
  assertEquals(parseOpenclawConf(bad).problems.map(({ line }) => line), [1, 2, 3, 4, 5, 6, 7]);
  assertEquals(`${parseOpenclawConf("").conf.vm}`, "null");
  const keyless = parseOpenclawConf("OPENCLAW_PROXY_PORT=none\n");
  assertEquals([keyless.conf.proxyPort, keyless.problems], [null, []]);
  assertEquals(parseOpenclawConf("OPENCLAW_GATEWAY_PORT=none\n").problems.length, 1);
});

Deno.test("the end of a call, told apart", () => {
  const show = (code: number, spoke = false, halted = false, untrustedStderr = ""): string =>
    callFailure(callEnd(code, untrustedStderr), spoke, halted)?.failureClass ?? "good";
  assertEquals(show(0), "good");
  assertEquals(show(125), "port-refused");
  assertEquals(show(125, false, true), "vm-halted");
  assertEquals(show(125, false, false, "qrexec connection timeout"), "no-answer");
  for (
    const said of [
      "2026-11-28 qrexec-client[9]: libvchan-io.c: Failed to start data vchan server",
      "gntshr: error: ioctl failed: No space left on device",
      "xencall: error: Error on trying to open hypercall buffer device: Operation not permitted",
      "Data vchan connection failed",
    ]
  ) {
    assertEquals(show(125, false, true, said), "no-vchan", said);
    assertEquals(show(125, true, false, said), "call-failed", "said by a VM that had spoken");
    assertEquals(show(1, false, false, said), "call-failed", said);
  }
  const flood = callFailure({ ...callEnd(137, "yyy"), stderrFlood: true }, true, false);
  assertEquals(flood?.failureClass, "protocol");
  assertEquals(show(126), "policy");
  assertEquals(show(127), "service-missing");
  assertEquals(show(255), "vm-died");
  assertEquals(show(255, true), "vm-died");
  for (const code of [1, 2, 125, 126, 127]) assertEquals(show(code, true), "call-failed");
  const hostile = callFailure(callEnd(1, "\x1b[2J\nroot:"), false, false);
  assert(hostile?.message.includes('"\\u{1b}[2J\\nroot:"'), hostile?.message);
});

/** Of this test file's heap: other files run in the same process. */
function ownBytes(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

Deno.test("byte queue: the same bytes in order; a byte at a time costs no object each", () => {
  const prng = createPrng(3);
  const queue = createByteQueue();
  const [put, got]: [Uint8Array[], Uint8Array[]] = [[], []];
  for (let turn = 0; turn < 3000; turn++) {
    const bytes = new Uint8Array(prng.below(3) === 0 ? prng.below(9000) + 1 : 1).fill(turn);
    queue.push(bytes);
    put.push(bytes);
    const shifted = prng.below(4) === 0 ? queue.shift() : undefined;
    if (shifted !== undefined) got.push(shifted.slice());
  }
  for (let rest; (rest = queue.shift()) !== undefined;) got.push(rest.slice());
  assertEquals(concat(got), concat(put));
  assertEquals(queue.shift(), undefined);
  const before = ownBytes();
  const one = createByteQueue();
  for (let i = 0; i < 1_000_000; i++) one.push(new Uint8Array([i]));
  const more = ownBytes() - before;
  // A million objects would take some 200 MB; what is garbage, V8 frees when it likes.
  assert(more < 60 * 1024 * 1024, `${more} bytes for 1 MB`);
  let largest = 0;
  for (let part; (part = one.shift()) !== undefined;) largest = Math.max(largest, part.length);
  assertEquals(largest, 256 * 1024);
});

Deno.test("places in the pipe are given in order, and none is lost", async () => {
  const slots = createFairSlots(2);
  const order: number[] = [];
  const takers = [1, 2, 3, 4].map((n) => slots.take().then(() => order.push(n)));
  await Promise.all(takers.slice(0, 2));
  assertEquals(order, [1, 2]);
  slots.give();
  await takers[2];
  slots.give();
  await takers[3];
  assertEquals(order, [1, 2, 3, 4]);
  const waiting = slots.take();
  slots.open();
  await waiting;
});

Deno.test("many deadlines, one timer: late ones are told in order, none is left running", () => {
  const clock = handClock();
  const late: number[] = [];
  const deadlines = createDeadlines(clock, 1000, (id) => late.push(id));
  for (let id = 0; id < 10; id++) {
    deadlines.start(id);
    clock.advance(100);
    assertEquals(clock.timers(), 1);
    if (id % 2 === 0) deadlines.done(id);
  }
  clock.advance(400);
  assertEquals(late, [1, 3]);
  clock.advance(600);
  assertEquals([late, clock.timers()], [[1, 3, 5, 7, 9], 0]);
  deadlines.start(1);
  deadlines.close();
  clock.advance(2000);
  assertEquals([late.length, clock.timers()], [5, 0]);
});

Deno.test("batches keep the order; a write that fails is told once, nobody waits for ever", async () => {
  const written: number[] = [];
  let sizes = 0;
  const sender = createBatchSender((bytes) => {
    written.push(...bytes);
    sizes++;
    return Promise.resolve();
  }, () => {});
  await Promise.all(Array.from({ length: 100 }, (_, i) => sender.send(new Uint8Array([i]))));
  assertEquals(written, Array.from({ length: 100 }, (_, i) => i));
  assert(sizes < 5, `${sizes} writes`);
  let errors = 0;
  const broken = createBatchSender(() => Promise.reject(new Error("gone")), () => errors++);
  await Promise.all([broken.send(new Uint8Array(1)), broken.send(new Uint8Array(300_000))]);
  await broken.send(new Uint8Array(1));
  assertEquals(errors, 1);
});

Deno.test("batches: the parts may be used again at once, while a write is under way too", async () => {
  const prng = createPrng(5);
  const [sent, written]: [Uint8Array[], Uint8Array[]] = [[], []];
  const sender = createBatchSender(async (bytes) => {
    await new Promise((resolve) => setTimeout(resolve, 0));
    written.push(bytes.slice());
  }, () => {});
  const sending: Promise<void>[] = [];
  const head = new Uint8Array(9);
  for (let turn = 0; turn < 300; turn++) {
    const payload = new Uint8Array(prng.below(3) === 0 ? prng.below(70_000) : 3).fill(turn);
    sent.push(head.fill(turn).slice(), payload.slice());
    sending.push(sender.send(head, payload));
    payload.fill(0);
    if (prng.below(9) === 0) await sending.shift();
  }
  await Promise.all(sending);
  assertEquals(concat(written), concat(sent));
  assert(written.every(({ length }) => length <= 256 * 1024));
});

Deno.test("a shared stream that cannot be had is asked for less and less often", () => {
  const backoff = createLinkBackoff();
  const waits = Array.from({ length: 8 }, () => backoff.nextWaitMs("service-missing", null));
  assertEquals(waits.slice(0, 3), [30_000, 60_000, 120_000]);
  assertEquals(waits.at(-1), 600_000);
  assertEquals(backoff.nextWaitMs("vm-died", 3_600_000), 0, "a good session: at once");
  assertEquals(backoff.nextWaitMs("vm-died", 100), 250);
  assertEquals(backoff.nextWaitMs("vm-halted", null), 0);
  const policy = createLinkBackoff();
  const refused = Array.from({ length: 8 }, () => policy.nextWaitMs("policy", null));
  assertEquals([refused[0], refused.at(-1)], [30_000, 300_000]);
  assert(backoff.nextWaitMs("protocol", 3_600_000) >= 30_000);
});

Deno.test("a flood of equal failures is two lines", () => {
  const clock = handClock();
  const lines: string[] = [];
  const log = createQuietLog(clock, (line) => lines.push(line));
  for (let i = 0; i < 1000; i++) log("port-refused", "refused");
  log("policy", "no");
  clock.advance(10_000);
  log("port-refused", "refused");
  assertEquals(lines, ["refused", "no", "refused (and 999 times before)"]);
});

Deno.test("what the policy refused is not asked for by each connection, and by one at a time", () => {
  const clock = handClock();
  const refusals = createRefusals(clock);
  const policy = new TunnelFailure("policy");
  let calls = 0;
  /** A connection each second. */
  const connect = (seconds: number): void => {
    for (let i = 0; i < seconds; i++) {
      const failure = (() => {
        try {
          refusals.check();
          calls++;
          return policy;
        } catch (error) {
          if (!(error instanceof TunnelFailure)) throw error;
          return error;
        }
      })();
      assertEquals(failure.failureClass, "policy");
      refusals.note(failure);
      clock.advance(1000);
    }
  };
  connect(3600);
  assertEquals(calls, 7, "in the first hour");
  connect(24 * 3600);
  assert(calls <= 7 + 25, `${calls} in a day`);
  clock.advance(3_600_000);
  refusals.check(); // it asks; who comes before it has its answer does not
  assertThrows(() => refusals.check(), TunnelFailure, "not asked again for");
  refusals.forget();
  for (let i = 0; i < 3; i++) refusals.check();
  refusals.note(policy);
  clock.advance(30_000);
  refusals.check();
  refusals.note(new TunnelFailure("port-refused")); // the policy let it through
  refusals.check();
});
