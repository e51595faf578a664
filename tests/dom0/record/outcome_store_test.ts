// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertThrows } from "@std/assert";
import { utf8 } from "../../../shared/protocol/bytes.ts";
import { EMPTY_STREAM, type Outcome } from "../../../shared/protocol/outcome.ts";
import {
  createOutcomeStore,
  type KeptRequest,
  type OutcomeStore,
  type Spool,
} from "../../../dom0/record/outcome_store.ts";
import { createPrng } from "../../fuzz/prng.ts";
import {
  authentic,
  authenticV1,
  filesBelow,
  IS_ROOT,
  LAB,
  modeOf,
  namesIn,
  NOW_MS,
  runTool,
  until,
  withFolder,
  withSmallDisk,
  WORK,
} from "../fixture.ts";

const REQUEST = await authentic({ n: 1 });
const { vm, id, nonce, digest } = REQUEST;

function doneOutcome(spool: Spool): Outcome {
  return {
    ...{ id, nonce, kind: "done", reason: null, exitCode: 3, startedAtMs: NOW_MS, durationMs: 12 },
    ...{ out: spool.summary(1), err: spool.summary(2) },
  };
}

const withStore = (run: (store: OutcomeStore, folder: string) => void): Promise<void> =>
  withFolder((root) => run(createOutcomeStore(`${root}/outcomes`), `${root}/outcomes`));

function only(kept: readonly KeptRequest[]): KeptRequest {
  assertEquals(kept.length, 1);
  const [first] = kept;
  if (first === undefined) throw new Error("nothing is kept");
  return first;
}

Deno.test("outcome store: nothing there is nothing kept", () =>
  withStore((store) => {
    assertEquals(store.recover(), []);
    store.forget(vm, id);
  }));

Deno.test("outcome store: a stream on which nothing came has no file", () =>
  withStore((store, folder) => {
    const spool = store.begin(REQUEST);
    spool.append(1, utf8(""));
    spool.append(2, utf8("err"));
    assertEquals(spool.summary(1), EMPTY_STREAM);
    assertEquals(namesIn(`${folder}/${vm}`).toSorted(), [`${id}.err`, `${id}.request`]);
    spool.close();
  }));

Deno.test("outcome store: a finished request comes back whole, as often as asked", () =>
  withStore((store, folder) => {
    const spool = store.begin(REQUEST);
    spool.append(1, utf8("out"));
    const outcome = doneOutcome(spool);
    store.finish(vm, outcome);
    spool.close();
    for (let start = 1; start <= 3; start++) {
      const kept = only(createOutcomeStore(folder).recover());
      assertEquals(kept.request, { vm, id, nonce, digest, protocol: 2 });
      assertEquals([kept.outcome, kept.wasInterrupted], [outcome, false]);
      assert(Math.abs(kept.keptSinceMs - Date.now()) < 60_000);
    }
  }));

Deno.test("outcome store: protocol 1 and another VM with the same id are apart", async () => {
  const ofV1 = await authenticV1(1, LAB);
  await withStore((store, folder) => {
    assertEquals(ofV1.id, id);
    for (const [request, text] of [[REQUEST, "work's"], [ofV1, "lab's"]] as const) {
      const spool = store.begin(request);
      spool.append(1, utf8(text));
      spool.close();
    }
    const kept = createOutcomeStore(folder).recover().sort((a, b) =>
      a.request.protocol - b.request.protocol
    );
    assertEquals(kept.map(({ request }) => request.vm), [LAB, WORK]);
    assertEquals(kept.map(({ request }) => request.nonce), ["-", nonce]);
    assertEquals(kept.map(({ outcome }) => outcome.out.bytes), [5, 6]);
    store.forget(WORK, id);
    assertEquals(only(createOutcomeStore(folder).recover()).request.vm, LAB);
  });
});

Deno.test("outcome store: folders are 0700 and files 0600, whatever the umask", () =>
  withStore((store, folder) => {
    const umask = Deno.umask(0);
    try {
      const spool = store.begin(REQUEST);
      for (const stream of [1, 2] as const) spool.append(stream, utf8("x"));
      store.finish(vm, doneOutcome(spool));
      spool.close();
    } finally {
      Deno.umask(umask);
    }
    assertEquals([modeOf(folder), modeOf(`${folder}/work`)], [0o700, 0o700]);
    const names = namesIn(`${folder}/work`);
    assertEquals(names, ["err", "meta", "out", "request"].map((end) => `${id}.${end}`));
    for (const name of names) assertEquals(modeOf(`${folder}/work/${name}`), 0o600, name);
  }));

Deno.test("outcome store: a command that printed nothing has no files of output", () =>
  withStore((store, folder) => {
    const spool = store.begin(REQUEST);
    assertEquals([spool.summary(1), spool.length(2)], [EMPTY_STREAM, 0]);
    assertEquals(spool.read(1, 0, 10).length, 0);
    store.finish(vm, doneOutcome(spool));
    spool.close();
    assertEquals(namesIn(`${folder}/work`), [`${id}.meta`, `${id}.request`]);
    store.forget(vm, id);
    assertEquals(namesIn(`${folder}/work`), []);
  }));

/** What a daemon does for one request, call by call; a crash may come after each. */
const STEPS: readonly ((store: OutcomeStore, spool: Spool) => void)[] = [
  (_, spool) => spool.append(1, utf8("one ")),
  (_, spool) => spool.append(2, utf8("warning")),
  (_, spool) => spool.append(1, utf8("two")),
  (store, spool) => store.finish(vm, doneOutcome(spool)),
];

for (let steps = 0; steps <= STEPS.length; steps++) {
  Deno.test(`outcome store: a crash after begin and ${steps} calls more`, () =>
    withStore((store, folder) => {
      const crashed = store.begin(REQUEST);
      for (const step of STEPS.slice(0, steps)) step(store, crashed);
      const [out, err] = [crashed.summary(1), crashed.summary(2)];
      crashed.close();

      const isDone = steps === STEPS.length;
      const next = createOutcomeStore(folder);
      const kept = only(next.recover());
      assertEquals(
        [kept.wasInterrupted, kept.outcome.kind],
        isDone ? [false, "done"] : [true, "interrupted"],
      );
      assertEquals(kept.outcome.exitCode, isDone ? 3 : 130);
      assertEquals([kept.outcome.out, kept.outcome.err], [out, err]);
      assertEquals(kept.outcome.nonce, nonce);

      const spool = next.reopen(vm, id);
      assertEquals([spool.summary(1), spool.summary(2)], [out, err]);
      assertEquals(new TextDecoder().decode(spool.read(1, 0, 99)), "one two".slice(0, out.bytes));
      spool.close();

      // It was said once; a second restart finds an outcome like any other.
      const again = only(createOutcomeStore(folder).recover());
      assertEquals([again.outcome, again.wasInterrupted], [kept.outcome, false]);
      next.forget(vm, id);
      assertEquals(createOutcomeStore(folder).recover(), []);
      assertEquals(filesBelow(folder).size, 0);
    }));
}

Deno.test("outcome store: what a crash left of a file that was being written is cleared", () =>
  withStore((store, folder) => {
    store.begin(REQUEST).close();
    Deno.writeTextFileSync(`${folder}/work/${id}.meta.new`, "id=");
    Deno.writeTextFileSync(`${folder}/work/20261122-091500-1-00000001.request.new`, "2 ");
    assertEquals(only(createOutcomeStore(folder).recover()).wasInterrupted, true);
    assertEquals(namesIn(`${folder}/work`), [`${id}.meta`, `${id}.request`]);
  }));

// The files are not synced: after a power cut a file may be there with nothing, or zeros, in it.
for (
  const [name, text] of [["empty", ""], ["zeros", "\0".repeat(20)], ["cut", "id=2026"]] as const
) {
  Deno.test(`outcome store: an outcome file that is ${name} after a power cut is as if absent`, () =>
    withStore((store, folder) => {
      const spool = store.begin(REQUEST);
      spool.append(1, utf8("x"));
      spool.close();
      Deno.writeTextFileSync(`${folder}/work/${id}.meta`, text);
      const kept = only(createOutcomeStore(folder).recover());
      assertEquals([kept.outcome.kind, kept.wasInterrupted], ["interrupted", true]);
      assertEquals(kept.outcome.out.bytes, 1);
      assertEquals(only(createOutcomeStore(folder).recover()).outcome, kept.outcome);
    }));

  Deno.test(`outcome store: a request file that is ${name} after a power cut stops nothing`, () =>
    withStore((store, folder) => {
      store.begin(REQUEST).close();
      const other = `${folder}/work/20261122-091500-4242-000000ff`;
      Deno.writeTextFileSync(`${other}.request`, text);
      Deno.writeTextFileSync(`${other}.out`, "x");
      for (let start = 1; start <= 2; start++) {
        assertEquals(only(createOutcomeStore(folder).recover()).request.id, id, `start ${start}`);
      }
      assertEquals(namesIn(`${folder}/work`), [`${id}.meta`, `${id}.request`]);
    }));
}

Deno.test("outcome store: names that are no VM's or no request's are left alone", () =>
  withStore((store, folder) => {
    store.begin(REQUEST).close();
    Deno.mkdirSync(`${folder}/lost+found`);
    Deno.writeTextFileSync(`${folder}/README`, "x");
    Deno.writeTextFileSync(`${folder}/work/notes.request`, "x");
    assertEquals(only(createOutcomeStore(folder).recover()).request.id, id);
    assertEquals(namesIn(folder), ["README", "lost+found", "work"]);
    assertEquals(Deno.readTextFileSync(`${folder}/work/notes.request`), "x");
  }));

Deno.test("outcome store: forget() that a crash cut short does not bring a done request back", () =>
  withStore((store, folder) => {
    const ends = ["request", "out", "err", "meta"];
    for (const missing of ends.map((_, i) => ends.slice(0, i + 1))) {
      const spool = store.begin(REQUEST);
      for (const stream of [1, 2] as const) spool.append(stream, utf8("x"));
      store.finish(vm, doneOutcome(spool));
      spool.close();
      for (const end of missing) Deno.removeSync(`${folder}/work/${id}.${end}`);
      assertEquals(createOutcomeStore(folder).recover(), [], `without ${missing}`);
      assertEquals(namesIn(`${folder}/work`), [], `without ${missing}`);
    }
  }));

Deno.test("spool: what was appended is what is read, at any offset, and its hash is sha256sum's", async () => {
  const random = createPrng(20261122);
  await withFolder(async (folder) => {
    const store = createOutcomeStore(folder);
    let spool = store.begin(REQUEST);
    const whole = { 1: [] as number[], 2: [] as number[] };
    for (let i = 0; i < 200; i++) {
      const stream = random.pick([1, 2] as const);
      const bytes = random.bytes(random.below(random.oneIn(10) ? 100_000 : 300)); // any bytes
      spool.append(stream, bytes);
      for (const byte of bytes) whole[stream].push(byte);
      if (random.oneIn(15)) { // a daemon that goes on where an earlier one was
        spool.close();
        spool = store.reopen(vm, id);
      }
      const offset = random.below(whole[stream].length + 10);
      const most = 1 + random.below(70_000);
      const want = new Uint8Array(whole[stream].slice(offset, offset + most));
      assertEquals(spool.read(stream, offset, most), want, `step ${i}`);
    }
    for (const [stream, end] of [[1, "out"], [2, "err"]] as const) {
      const path = `${folder}/work/${id}.${end}`;
      const [sha256 = ""] = (await runTool("sha256sum", path)).split(" ");
      assertEquals(spool.summary(stream), { bytes: whole[stream].length, sha256 });
      assertEquals(spool.summary(stream).sha256, sha256, "asking changes nothing");
      assertEquals(Deno.statSync(path).size, spool.length(stream));
    }
    spool.close();
  });
});

Deno.test({
  name: "spool: on a full disk append() throws, and what was kept before stays the output",
  ignore: !IS_ROOT,
  fn: () =>
    withSmallDisk(64, async (folder) => {
      const store = createOutcomeStore(folder);
      const spool = store.begin(REQUEST);
      const chunk = new Uint8Array(3000).fill(0x61);
      assertThrows(() => {
        for (let i = 0; i < 100; i++) spool.append(1, chunk);
      });
      const before = spool.summary(1);
      assertEquals(before.bytes % chunk.length, 0);
      assertEquals(spool.read(1, 0, 1e6).length, before.bytes);
      spool.close();
      const again = store.reopen(vm, id);
      assertEquals(again.summary(1), before, "a restart finds the same output");
      again.close();
      store.forget(vm, id);
      const next = store.begin(REQUEST);
      // The kernel frees what is gone a moment after its last file is closed.
      await until("there is room again", () => {
        try {
          next.append(1, chunk);
          return true;
        } catch {
          return false;
        }
      });
      next.close();
    }),
});
