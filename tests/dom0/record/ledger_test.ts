// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertRejects } from "@std/assert";
import { rememberForMs } from "../../../shared/protocol/freshness.ts";
import { MAX_REQUEST_LEAD_MS } from "../../../shared/protocol/limits.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import {
  type Ledger,
  type LedgerDisk,
  ledgerFile,
  openLedger,
  readOnly,
} from "../../../dom0/record/ledger.ts";
import {
  IS_ROOT,
  LAB,
  modeOf,
  namesIn,
  NOW_MS,
  requestId,
  stoppedClock,
  withFolder,
  withSmallDisk,
  WORK,
} from "../fixture.ts";

type Entry = Parameters<Ledger["add"]>[0];

/** As in ledger.ts: how many lines more than needed the file may have. */
const SLACK_LINES = 4096;

const ids = new Map<number, RequestId>();

function entry(n: number, protocol: 1 | 2 = 2, vm = WORK): Entry {
  const id = ids.get(n) ?? requestId(n); // made once: the tests ask for the same ones often
  ids.set(n, id);
  return { vm, id, protocol, digest: n.toString(16).padEnd(64, "d") };
}

/** What the file has of it. */
const digestIn = (n: number): string => entry(n).digest.slice(0, 32);

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);

interface MemoryDisk extends LedgerDisk {
  content: string;
  dates: string;
  /** What was called, in order. */
  readonly calls: string[];
}

/**
 * A disk in memory. The call with the number `failAt` (from 1) throws, after an append has
 * written a part, as a full disk does; a failed replace leaves the file as it was.
 */
function memoryDisk({ content = "", dates = "", failAt = 0, tornBytes = 7 } = {}): MemoryDisk {
  const failNow = (): boolean => disk.calls.length === failAt;
  const disk: MemoryDisk = {
    ...{ content, dates },
    calls: [],
    async read() {
      disk.calls.push("read");
      if (failNow()) throw new Error("no read");
      return await Promise.resolve(disk.content);
    },
    async append(text) {
      disk.calls.push("append");
      await Promise.resolve();
      if (failNow()) {
        disk.content += text.slice(0, tornBytes);
        throw new Error("no append");
      }
      disk.content += text;
    },
    async note(text) {
      disk.calls.push("note");
      await Promise.resolve();
      if (failNow()) throw new Error("no note");
      disk.content += text;
    },
    async replace(text) {
      disk.calls.push("replace");
      await Promise.resolve();
      if (failNow()) throw new Error("no replace");
      disk.content = text;
    },
    async readDates() {
      disk.calls.push("readDates");
      if (failNow()) throw new Error("no read");
      return await Promise.resolve(disk.dates);
    },
    async replaceDates(text) {
      disk.calls.push("replaceDates");
      await Promise.resolve();
      if (failNow()) throw new Error("no replace");
      disk.dates = text;
    },
    close() {},
  };
  return disk;
}

Deno.test("ledger: has what was added, of this VM and no other, in both protocols", async () => {
  const ledger = await openLedger(memoryDisk(), stoppedClock().dateMs);
  assertEquals([ledger.size(), ledger.has(entry(1))], [0, false]);
  await ledger.add(entry(1));
  await ledger.add(entry(2, 1));
  assertEquals([ledger.has(entry(1)), ledger.has(entry(2))], [true, true]);
  // An id taken by one protocol is taken for the other.
  assertEquals([ledger.has(entry(1, 1)), ledger.has(entry(2, 2))], [true, true]);
  assertEquals([ledger.has(entry(1, 2, LAB)), ledger.has(entry(3))], [false, false]);
});

for (const protocol of [1, 2] as const) {
  Deno.test(`ledger: protocol ${protocol} is remembered to the end of its window, and not longer`, async () => {
    const clock = stoppedClock();
    const disk = memoryDisk();
    const ledger = await openLedger(disk, clock.dateMs);
    await ledger.add(entry(1, protocol));
    clock.advance(rememberForMs(protocol));
    await ledger.add(entry(2, protocol)); // looks for what is old
    assertEquals(ledger.has(entry(1)), true, "at the last moment");
    assertEquals((await openLedger(disk, clock.dateMs)).has(entry(1)), true);
    clock.advance(1);
    await ledger.add(entry(3, protocol));
    assertEquals(ledger.has(entry(1)), false);
    assertEquals(ledger.has(entry(2)), true);
    const again = await openLedger(disk, clock.dateMs);
    assertEquals([again.has(entry(1)), again.has(entry(2)), again.size()], [false, true, 2]);
  });
}

Deno.test("ledger: a long window of protocol 1 does not keep protocol 2, nor the other way", async () => {
  const clock = stoppedClock();
  const ledger = await openLedger(memoryDisk(), clock.dateMs);
  await ledger.add(entry(1, 1));
  await ledger.add(entry(2, 2));
  clock.advance(rememberForMs(2) + 1);
  await ledger.add(entry(3, 2));
  assertEquals([1, 2, 3].map((n) => ledger.has(entry(n))), [true, false, true]);
});

Deno.test("ledger: the file is private, readable, and survives a restart", () =>
  withFolder(async (folder) => {
    const path = `${folder}/ledger`;
    const { dateMs } = stoppedClock();
    const first = await openLedger(ledgerFile(path), dateMs);
    await Promise.all([first.add(entry(1)), first.add(entry(2, 1, LAB))]);
    await first.close();
    assertEquals(modeOf(path), 0o600);
    assertEquals(
      Deno.readTextFileSync(path),
      `${NOW_MS} 2 work ${requestId(1)} ${digestIn(1)}\n` +
        `${NOW_MS} 1 lab ${requestId(2)} ${digestIn(2)}\n`,
    );
    const second = await openLedger(ledgerFile(path), dateMs);
    assertEquals([second.has(entry(1)), second.has(entry(2, 1, LAB)), second.size()], [
      true,
      true,
      2,
    ]);
    assertEquals(modeOf(path), 0o600);
    assertEquals(namesIn(folder), ["ledger", "ledger.dates"]);
    assertEquals(modeOf(`${path}.dates`), 0o600);
    await second.close();
  }));

Deno.test("ledger: every cut of the file's end keeps the lines that are whole", async () => {
  const line = (n: number): string => `${NOW_MS} 2 work ${requestId(n)}\n`;
  const whole = line(1) + line(2) + line(3);
  for (let length = 0; length <= whole.length; length++) {
    const disk = memoryDisk({ content: whole.slice(0, length) });
    const ledger = await openLedger(disk, stoppedClock().dateMs);
    const lines = Math.floor(length / line(1).length);
    assertEquals(ledger.size(), lines, `${length} bytes`);
    await ledger.add(entry(9));
    const again = await openLedger(disk, stoppedClock().dateMs);
    const found = [1, 2, 3].filter((n) => again.has(entry(n)));
    assertEquals([...found, again.has(entry(9))], [...range(1, lines + 1), true]);
  }
});

Deno.test("ledger: lines that are none do not hide those that are", async () => {
  const good = `${NOW_MS} 2 work ${requestId(1)}\n`;
  const bad = [
    ...["\n", "nonsense\n", "1 3 work x\n", "-1 2 work x\n", " \n", "\0\0\0\n", "1 2 work\n"],
    `${NOW_MS} 2 work ${requestId(2)} more\n`,
  ];
  const content = bad.map((line) => line + good).join("") + `${NOW_MS} 2 lab ${requestId(3)}\n`;
  const ledger = await openLedger(memoryDisk({ content }), stoppedClock().dateMs);
  assertEquals([ledger.size(), ledger.has(entry(1)), ledger.has(entry(3, 2, LAB))], [
    2,
    true,
    true,
  ]);
});

Deno.test("ledger: add() resolves when the disk has it, not before", async () => {
  const disk = memoryDisk();
  const gate = Promise.withResolvers<void>();
  const slow = { ...disk, append: (text: string) => gate.promise.then(() => disk.append(text)) };
  const ledger = await openLedger(slow, stoppedClock().dateMs);
  let resolved = 0;
  const adds = [1, 2].map((n) => ledger.add(entry(n)).then(() => void resolved++));
  assertEquals(ledger.has(entry(2)), true, "remembered at once");
  await new Promise((resolve) => setTimeout(resolve, 0)); // whatever is ready has run
  assertEquals([resolved, disk.content], [0, ""]);
  gate.resolve();
  await Promise.all(adds);
  assertEquals(disk.content.split("\n").length, 3);
});

Deno.test("ledger: 1000 adds at once share syncs, and all are on the disk", () =>
  withFolder(async (folder) => {
    const file = ledgerFile(`${folder}/ledger`);
    let syncs = 0;
    const counted: LedgerDisk = {
      ...file,
      append(text) {
        syncs++;
        return file.append(text);
      },
    };
    const ledger = await openLedger(counted, stoppedClock().dateMs);
    await Promise.all(range(0, 1000).map((n) => ledger.add(entry(n))));
    assert(syncs <= 2, `${syncs} syncs`);
    await ledger.close();
    const again = await openLedger(ledgerFile(`${folder}/ledger`), stoppedClock().dateMs);
    assertEquals(range(0, 1000).filter((n) => !again.has(entry(n))), []);
    await again.close();
  }));

/**
 * Days in the life of a ledger: waves of adds with time between them, and a compaction. What
 * add() resolved goes into `kept`, with its time.
 */
async function live(disk: MemoryDisk, kept: Map<number, number>): Promise<boolean> {
  const clock = stoppedClock();
  let ok = true;
  let ledger: Ledger;
  try {
    ledger = await openLedger(disk, clock.dateMs);
  } catch {
    return false;
  }
  let n = 0;
  for (const wave of [1, 2, 700, SLACK_LINES, 3, 1, 700, 5]) {
    const results = await Promise.allSettled(
      range(n, n + wave).map(async (each) => {
        await ledger.add(entry(each));
        kept.set(each, clock.dateMs());
      }),
    );
    if (results.some(({ status }) => status === "rejected")) ok = false;
    // Rejected or not: it may be on the disk, so it must not be taken again.
    const forgotten = range(n, n + wave).filter((each) => !ledger.has(entry(each)));
    assertEquals(forgotten, [], `call ${disk.calls.length}`);
    n += wave;
    clock.advance(rememberForMs(2) / 3);
    const { content, dates } = disk;
    const again = await openLedger(memoryDisk({ content, dates }), clock.dateMs);
    assertEquals(again.wasLost, false, `call ${disk.calls.length}`);
    const since = clock.dateMs() - rememberForMs(2);
    const lost = [...kept].filter(([each, atMs]) => atMs >= since && !again.has(entry(each)));
    assertEquals(lost, [], `lost by call ${disk.calls.length}`);
  }
  return ok;
}

for (const tornBytes of [0, 7, 60]) {
  Deno.test(`ledger: each call of the disk fails in turn, ${tornBytes} bytes written; nothing is lost`, async () => {
    const healthy = memoryDisk();
    assertEquals(await live(healthy, new Map()), true);
    assert(healthy.calls.slice(2).includes("replace"), "there was no compaction");
    let failures = 0;
    for (let failAt = 1;; failAt++) {
      const disk = memoryDisk({ failAt, tornBytes });
      if (await live(disk, new Map())) break;
      failures++;
    }
    assert(failures >= 12, `tried ${failures} failures`);
    assert(failures >= healthy.calls.length, `${failures} of ${healthy.calls.length} calls`);
  });
}

Deno.test("ledger: after a failed add the next one is good, and the failed one still counts", async () => {
  const disk = memoryDisk({ failAt: 4, tornBytes: 20 }); // two reads, replace, append
  const ledger = await openLedger(disk, stoppedClock().dateMs);
  await assertRejects(() => ledger.add(entry(1)), Error, "no append");
  assertEquals(ledger.has(entry(1)), true);
  await ledger.add(entry(2));
  const again = await openLedger(disk, stoppedClock().dateMs);
  assertEquals([again.has(entry(1)), again.has(entry(2))], [true, true]);
});

Deno.test({
  name: "ledger: on a disk that is really full, adds are refused; with room again, all is there",
  ignore: !IS_ROOT,
  fn: () =>
    withSmallDisk(64, async (folder) => {
      const { dateMs } = stoppedClock();
      const ledger = await openLedger(ledgerFile(`${folder}/ledger`), dateMs);
      await ledger.add(entry(0));
      // Leaves 4 KiB, so that one append is cut in its middle.
      await Deno.writeFile(`${folder}/ballast`, new Uint8Array(52 * 1024));
      await assertRejects(() => Promise.all(range(1, 300).map((n) => ledger.add(entry(n)))));
      await Deno.remove(`${folder}/ballast`);
      await ledger.add(entry(300));
      await ledger.close();
      const again = await openLedger(ledgerFile(`${folder}/ledger`), dateMs);
      assertEquals([again.has(entry(0)), again.has(entry(300))], [true, true]);
      await again.close();
      assertEquals(namesIn(folder), ["ledger", "ledger.dates"]);
    }),
});

Deno.test("ledger: compaction keeps exactly what is needed", async () => {
  const clock = stoppedClock();
  const disk = memoryDisk();
  const ledger = await openLedger(disk, clock.dateMs);
  await ledger.add(entry(0, 1)); // needed for 28 hours
  await Promise.all(range(1, SLACK_LINES + 20).map((n) => ledger.add(entry(n))));
  clock.advance(rememberForMs(2) + 1);
  await Promise.all(range(9000, 9010).map((n) => ledger.add(entry(n))));
  await ledger.add(entry(9010));
  const [first = "", ...entries] = disk.content.trimEnd().split("\n");
  assertEquals(first, `forgotten 2 ${NOW_MS} ${NOW_MS}`);
  const found = entries.map((line) => line.split(" ")[3]);
  const needed = [0, ...range(9000, 9011)].map((n) => requestId(n));
  assertEquals([...found].sort(), [...needed].map(String).sort());
  assertEquals(ledger.size(), needed.length);
});

Deno.test("ledger: a year of requests stays within the window and the slack", async () => {
  const clock = stoppedClock();
  const disk = memoryDisk();
  const ledger = await openLedger(disk, clock.dateMs);
  const windowAdds = 60; // one wave in each tenth of the window, six in a wave
  let [most, mostLines] = [0, 0];
  for (let wave = 0; wave < 6000; wave++) {
    await Promise.all(range(6 * wave, 6 * wave + 6).map((n) => ledger.add(entry(n))));
    clock.advance(rememberForMs(2) / 10);
    most = Math.max(most, ledger.size());
    if (wave % 50 === 0) mostLines = Math.max(mostLines, disk.content.split("\n").length);
  }
  assert(most <= windowAdds + 12, `${most} entries in memory`);
  assert(mostLines <= SLACK_LINES + windowAdds + 12, `${mostLines} lines in the file`);
  const replaced = disk.calls.filter((call) => call === "replace").length;
  assert(replaced <= 2 + 36_000 / SLACK_LINES, `the file was rewritten ${replaced} times`);
});

Deno.test("ledger: read-only knows what was taken and writes nothing", () =>
  withFolder(async (folder) => {
    const path = `${folder}/ledger`;
    const text = `${NOW_MS - 1e9} 2 work ${requestId(7)}\n${NOW_MS} 2 work ${requestId(1)}\n12 2 w`;
    await Deno.writeTextFile(path, text);
    const ledger = await openLedger(readOnly(ledgerFile(path)), stoppedClock().dateMs);
    assertEquals([ledger.has(entry(1)), ledger.has(entry(7))], [true, false]);
    await ledger.add(entry(2));
    await ledger.close();
    assertEquals([Deno.readTextFileSync(path), namesIn(folder)], [text, ["ledger"]]);
  }));

/** As the desk asks: a request with this id that was issued on this date. */
const dated = (n: number, issuedAtMs: number, protocol: 1 | 2 = 2) => ({
  ...entry(n, protocol),
  issuedAtMs,
});

Deno.test("ledger: a clock that was ahead for a while lets nothing run twice", async () => {
  const clock = stoppedClock();
  const disk = memoryDisk();
  const ledger = await openLedger(disk, clock.dateMs);
  const first = dated(1, NOW_MS);
  await ledger.add(first);
  clock.step(400_000);
  await ledger.add(entry(2)); // the first is too old by this clock, and leaves
  assertEquals(ledger.has(first), false);
  clock.step(-400_000);
  clock.advance(10_000);
  assertEquals(ledger.objection(first), "clock");
  const again = await openLedger(disk, clock.dateMs);
  assertEquals(again.objection(first), "replay", "it was not yet gone from the file");

  // It ends by itself, and says when.
  const endMs = ledger.refusesUntilMs(2) ?? 0;
  assertEquals(endMs, NOW_MS + MAX_REQUEST_LEAD_MS + 1);
  clock.advance(endMs - clock.dateMs() - 1);
  assertEquals(ledger.objection(dated(3, clock.dateMs())), "clock");
  clock.advance(1);
  assertEquals([ledger.objection(dated(3, clock.dateMs())), ledger.refusesUntilMs(2)], [
    null,
    null,
  ]);
  assertEquals(ledger.objection(first), "clock");
});

Deno.test("ledger: a clock that is set back keeps what is known, and refuses nothing new", async () => {
  const clock = stoppedClock();
  const ledger = await openLedger(memoryDisk(), clock.dateMs);
  await ledger.add(entry(1));
  clock.step(-600_000);
  for (let minute = 0; minute < 20; minute++) {
    clock.advance(60_000);
    await ledger.add(entry(100 + minute));
    assertEquals(ledger.objection(dated(2, clock.dateMs())), null, `minute ${minute}`);
    assertEquals(ledger.objection(dated(1, NOW_MS)), minute < 16 ? "replay" : "clock");
  }
});

Deno.test("ledger: ten years ahead for an hour, and nobody is locked out afterwards", async () => {
  const clock = stoppedClock();
  const disk = memoryDisk();
  const ledger = await openLedger(disk, clock.dateMs);
  await ledger.add(entry(1));
  clock.step(10 * 365 * 24 * 3600_000);
  const wrongMs = clock.dateMs();
  for (let n = 10; n < 70; n++) {
    await ledger.add(entry(n));
    clock.advance(60_000);
  }
  clock.step(-10 * 365 * 24 * 3600_000);
  for (const known of [ledger, await openLedger(disk, clock.dateMs)]) {
    assertEquals(known.objection(dated(2, clock.dateMs())), null);
    await known.add(entry(3));
    assertEquals(known.objection(dated(10, wrongMs)), "clock", "in ten years, the same bytes");
    assert(known.size() < 10, `${known.size()} entries of a time that is far away`);
  }
});

Deno.test("ledger: each step of the clock between two requests, and no replay passes", async () => {
  const steps = [
    -86_400_000,
    -4e5,
    -361_000,
    -61_000,
    -1,
    0,
    1,
    61_000,
    301_000,
    361_000,
    4e5,
    1e10,
  ];
  for (const there of steps) {
    for (const back of steps) {
      const clock = stoppedClock();
      const disk = memoryDisk();
      let ledger = await openLedger(disk, clock.dateMs);
      const taken = dated(1, clock.dateMs());
      await ledger.add(taken);
      for (const step of [there, back]) {
        clock.step(step);
        await ledger.add(entry(2));
        for (const known of [ledger, ledger = await openLedger(disk, clock.dateMs)]) {
          // Fresh by this clock or not: the ledger alone keeps it from running.
          assert(known.objection(taken) !== null, `${there}, ${back}`);
        }
      }
    }
  }
});

Deno.test("ledger: a file that is gone, empty, or cut is no empty ledger", async () => {
  const clock = stoppedClock();
  const disk = memoryDisk();
  const ledger = await openLedger(disk, clock.dateMs);
  for (let n = 1; n <= 4; n++) {
    await ledger.add(entry(n));
    clock.advance(61_000);
  }
  const { content, dates } = disk;
  const lines = content.split("\n");
  const cuts = ["", lines[0] + "\n", lines.slice(0, 3).join("\n") + "\n", content.slice(0, -5)];
  for (const cut of cuts) {
    const damaged = memoryDisk({ content: cut, dates });
    for (const again of [1, 2].map(() => openLedger(damaged, clock.dateMs))) {
      const opened = await again;
      for (let n = 1; n <= 4; n++) {
        const objection = opened.objection(dated(n, NOW_MS + 61_000 * (n - 1)));
        assert(objection !== null, `request ${n}, ${cut.length} bytes`);
      }
    }
    const opened = await openLedger(memoryDisk({ content: cut, dates }), clock.dateMs);
    assertEquals(opened.wasLost, true);
    const endMs = opened.refusesUntilMs(2) ?? Infinity;
    assert(endMs - clock.dateMs() <= 2 * 60_000, `refuses for ${endMs - clock.dateMs()} ms`);
    assertEquals(opened.objection(dated(5, endMs)), null);
  }
  const whole = await openLedger(memoryDisk({ content, dates }), clock.dateMs);
  assertEquals([whole.wasLost, whole.refusesUntilMs(2)], [false, null]);
  const fresh = await openLedger(memoryDisk(), clock.dateMs);
  assertEquals([fresh.wasLost, fresh.refusesUntilMs(2)], [false, null], "there never was one");
});

Deno.test("ledger: protocol 1's long window is not held against protocol 2, nor the other way", async () => {
  const clock = stoppedClock();
  const ledger = await openLedger(memoryDisk(), clock.dateMs);
  await ledger.add(entry(1, 2));
  clock.advance(rememberForMs(2) + 1);
  await ledger.add(entry(2, 2));
  assertEquals(ledger.has(entry(1)), false);
  assertEquals(ledger.objection(dated(3, clock.dateMs(), 1)), null);
  assertEquals([ledger.refusesUntilMs(1), ledger.refusesUntilMs(2)], [null, null]);
});

Deno.test("ledger: the dates are written once a minute, whatever is taken", async () => {
  const clock = stoppedClock();
  const disk = memoryDisk();
  const ledger = await openLedger(disk, clock.dateMs);
  for (let n = 0; n < 600; n++) {
    await ledger.add(entry(n));
    clock.advance(1_000);
  }
  const written = disk.calls.filter((call) => call === "replaceDates").length;
  assert(written <= 11, `${written} times in ten minutes`);
  assert(disk.dates.split("\n").length === 2, disk.dates);
});

Deno.test("ledger: an outcome is owed until it is acknowledged, to this very request", async () => {
  const clock = stoppedClock();
  const disk = memoryDisk();
  const ledger = await openLedger(disk, clock.dateMs);
  await Promise.all([1, 2, 3].map((n) => ledger.add(entry(n))));
  ledger.answered(entry(1));
  ledger.answered(entry(1));
  ledger.answered(entry(9));
  await ledger.close();
  const owed = (known: Ledger) => [1, 2, 3, 9].filter((n) => known.owes(entry(n)));
  assertEquals([owed(ledger), disk.calls.filter((call) => call === "note").length], [[2, 3], 1]);
  assertEquals(ledger.owes({ ...entry(2), digest: entry(3).digest }), false);
  assertEquals(ledger.owes({ ...entry(2), vm: LAB }), false);
  const again = await openLedger(disk, clock.dateMs);
  assertEquals(owed(again), [2, 3]);
  assertEquals(owed(await openLedger(disk, clock.dateMs)), [2, 3], "written anew");
  assertEquals([1, 2, 3].filter((n) => again.has(entry(n))), [1, 2, 3]);
});

Deno.test("ledger: what is noted while something is added shares its write", async () => {
  const disk = memoryDisk();
  const ledger = await openLedger(disk, stoppedClock().dateMs);
  await ledger.add(entry(1));
  const adding = ledger.add(entry(2));
  ledger.answered(entry(1));
  const later = ledger.add(entry(3));
  await Promise.all([adding, later]);
  await ledger.close();
  assertEquals(disk.calls.filter((call) => call === "note"), []);
  assertEquals((await openLedger(disk, stoppedClock().dateMs)).owes(entry(1)), false);
});
