// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  type Audit,
  type AuditOptions,
  formatEvent,
  openAudit,
} from "../../../dom0/record/audit_log.ts";
import { CHAIN_START, type ChainEnd, checkChain } from "../../../dom0/record/audit_chain.ts";
import {
  auditPaths,
  IS_ROOT,
  modeOf,
  namesIn,
  stoppedClock,
  withFolder,
  withSmallDisk,
} from "../fixture.ts";

function open(folder: string, more: Partial<AuditOptions> = {}): Audit {
  return openAudit({
    ...auditPaths(folder),
    dateMs: stoppedClock().dateMs,
    ...more,
  });
}

interface Entry {
  readonly seq: number;
  readonly event: string;
  readonly hash: string;
  readonly [field: string]: unknown;
}

/** Every record of every file, oldest first; fails if the chain is not whole. */
function readChain(folder: string, from: ChainEnd | null = { seq: 0, hash: CHAIN_START }): Entry[] {
  const ages = [8, 7, 6, 5, 4, 3, 2, 1].map((age) => `audit.jsonl.${age}`);
  const present = new Set(namesIn(folder));
  const lines = [...ages, "audit.jsonl"].filter((name) => present.has(name)).flatMap((name) =>
    Deno.readTextFileSync(`${folder}/${name}`).split("\n").slice(0, -1)
  );
  const check = checkChain(lines, from);
  assert(check.ok, check.ok ? "" : `line ${check.line}: ${check.why}`);
  return lines.map((line) => JSON.parse(line));
}

Deno.test("audit: one record, for machines and for people, in private files", () =>
  withFolder((folder) => {
    const said: string[] = [];
    const umask = Deno.umask(0);
    try {
      const audit = open(`${folder}/a/b`, { alsoTo: (line) => said.push(line) });
      audit.record("done", {
        vm: "work",
        exit: 0,
        command: "qvm-ls -q",
        words: ["a b", "c"],
        no: null,
      });
      audit.close();
    } finally {
      Deno.umask(umask);
    }
    assertEquals(namesIn(`${folder}/a/b`), ["audit.jsonl", "audit.jsonl.lock", "lib", "log"]);
    for (const name of ["audit.jsonl", "audit.jsonl.lock", "lib/anchor", "log"]) {
      assertEquals(modeOf(`${folder}/a/b/${name}`), 0o600);
    }
    const [record] = readChain(`${folder}/a/b`);
    assertEquals([record?.seq, record?.event, record?.["words"]], [1, "done", ["a b", "c"]]);
    const line = `2026-11-22T09:15:00.000Z #1 ${record?.hash.slice(0, 8)} ` +
      'DONE vm=work exit=0 command="qvm-ls -q" words="a b" c no=null\n';
    assertEquals([Deno.readTextFileSync(`${folder}/a/b/log`), said], [line, [line]]);
  }));

Deno.test("audit: hostile text reaches neither file nor the journal unescaped", () =>
  withFolder((folder) => {
    const said: string[] = [];
    const audit = open(folder, { alsoTo: (line) => said.push(line) });
    const hostile = [
      "a\nACCEPTED vm=sys-net",
      "a\rACCEPTED vm=sys-net",
      "\x1b]0;x\x07\x9b31m",
      "\u2028ACCEPTED\u2029\x85\x0b\x0c\0",
      'a" vm="sys-net',
      "vm=sys-net id=1",
      "=",
      "\u202e\u{1f600}\ud800",
      "a b ".repeat(75),
      "",
    ];
    for (const text of hostile) audit.record("refused", { vm: "work", text, list: [text, "x"] });
    audit.close();
    const log = Deno.readTextFileSync(`${folder}/log`);
    for (const text of [log, Deno.readTextFileSync(`${folder}/audit.jsonl`), said.join("")]) {
      assert(/^[\x20-\x7e\n]*$/.test(text), text);
      assertEquals(text.split("\n").length, hostile.length + 1);
    }
    for (const [index, record] of readChain(folder).entries()) {
      // Half a surrogate pair has no bytes in UTF-8, but has an escape in JSON.
      assertEquals(record["text"], hostile[index]);
    }
    for (const line of log.trimEnd().split("\n")) {
      // Field names and bare words stay apart from what is quoted.
      const shape =
        / REFUSED vm=work text=("([^"\\]|\\.)*"(\.\.\.)?) list=("([^"\\]|\\.)*"(\.\.\.)?) x$/;
      assert(shape.test(line), line);
    }
    const long = log.split("\n")[8] ?? "";
    assert(long.length < 600 && long.includes('"...'), "long text is cut, and says so");
  }));

Deno.test("formatEvent(): words that need no quotes have none", () => {
  const fields = { vm: "sys-net", id: "20261122-091500-1-00000000", at: "a.b:c@d/e+f", ok: true };
  assertEquals(
    formatEvent("done", fields),
    "DONE vm=sys-net id=20261122-091500-1-00000000 at=a.b:c@d/e+f ok=true",
  );
  assertEquals(formatEvent("x", { a: "b c", d: "e\n" }), 'X a="b c" d="e\\n"');
});

Deno.test("audit: the chain goes on over restarts", () =>
  withFolder((folder) => {
    for (let start = 0; start < 5; start++) {
      const audit = open(folder);
      for (let n = 0; n < 3; n++) audit.record("test", { start, n });
      audit.close();
    }
    assertEquals(
      readChain(folder).map(({ seq }) => seq),
      Array.from({ length: 15 }, (_, i) => i + 1),
    );
  }));

Deno.test("audit: rotation keeps the chain across files, and the number of files", () =>
  withFolder((folder) => {
    const maxFileBytes = 2000;
    let audit = open(folder, { maxFileBytes });
    for (let n = 1; n <= 60; n++) {
      audit.record("test", { n });
      if (n % 7 === 0) { // a restart, also on an empty or a full file
        audit.close();
        audit = open(folder, { maxFileBytes });
      }
    }
    assertEquals(readChain(folder).length, 60);
    for (let n = 61; n <= 400; n++) audit.record("test", { n, pad: "x".repeat(n % 200) });
    audit.close();
    const names = namesIn(folder).filter((name) => name !== "lib");
    const files = (kind: string): string[] =>
      ["", 1, 2, 3, 4, 5, 6, 7, 8, "kept"].map((age) => age === "" ? kind : `${kind}.${age}`);
    assertEquals(names, [...files("audit.jsonl"), "audit.jsonl.lock", ...files("log")].sort());
    for (const name of names) {
      assertEquals(modeOf(`${folder}/${name}`), 0o600, name);
      assert(Deno.statSync(`${folder}/${name}`).size < maxFileBytes + 600, name);
    }
    const records = readChain(folder, null);
    assertEquals(records.at(-1)?.["n"], 400);
    assertEquals(records.length, 400 - (records[0]?.seq ?? 0) + 1);
  }));

Deno.test("audit: a torn last record is taken away at any cut, and the next one says so", () =>
  withFolder((folder) => {
    const path = `${folder}/audit.jsonl`;
    const { anchorFile } = auditPaths(folder);
    const first = open(folder);
    for (const n of [1, 2]) first.record("test", { n });
    first.close();
    const anchor = Deno.readTextFileSync(anchorFile);
    const third = open(folder);
    third.record("test", { n: 3 });
    third.close();
    const whole = Deno.readFileSync(path);
    const start = whole.subarray(0, -1).lastIndexOf(0x0a) + 1;
    for (let length = start; length < whole.length; length++) {
      Deno.writeFileSync(path, whole.subarray(0, length));
      Deno.writeTextFileSync(anchorFile, anchor); // what is torn was not yet on the disk
      const audit = open(folder);
      audit.record("next", {});
      audit.record("next", {});
      audit.close();
      const events = readChain(folder).slice(2);
      const torn = length - start;
      assertEquals(
        events.map(({ event, torn_bytes = 0 }) => [event, torn_bytes]),
        [...(torn > 0 ? [["audit-repaired", torn]] : []), ["next", 0], ["next", 0]],
        `cut at ${torn}`,
      );
    }
  }));

Deno.test("audit: a file torn in its first record, or empty after a rotation, goes on as well", () =>
  withFolder((folder) => {
    const path = `${folder}/audit.jsonl`;
    Deno.writeTextFileSync(path, '{"seq":1,"ti');
    let audit = open(folder);
    audit.record("test", { n: 1 });
    audit.close();
    assertEquals(readChain(folder).map(({ event }) => event), ["audit-repaired", "test"]);

    Deno.renameSync(path, `${path}.1`); // a crash between the rotation and the record
    audit = open(folder);
    audit.record("test", { n: 2 });
    audit.close();
    assertEquals(readChain(folder).map(({ seq }) => seq), [1, 2, 3]);
  }));

Deno.test("audit: a record in a file that another process rotated goes into the new file", () =>
  withFolder((folder) => {
    const [one, other] = [open(folder, { maxFileBytes: 600 }), open(folder, { maxFileBytes: 600 })];
    for (let n = 0; n < 15; n++) (n % 3 === 0 ? one : other).record("test", { n });
    one.close();
    other.close();
    const records = readChain(folder);
    assertEquals(records.map((record) => record["n"]), Array.from({ length: 15 }, (_, n) => n));
    assert(namesIn(folder).includes("audit.jsonl.3"), "there was no rotation");
  }));

for (const [name, maxFileBytes] of [["one file", 1e9], ["files that rotate", 30_000]] as const) {
  Deno.test(`audit: two processes that record at once make one good chain in ${name}`, () =>
    withFolder(async (folder) => {
      const count = 400;
      const children = ["a", "b"].map((by) =>
        new Deno.Command(Deno.execPath(), {
          args: [
            ...[
              "run",
              "--quiet",
              "--no-check",
              "-A",
              new URL("audit-writer.ts", import.meta.url).pathname,
            ],
            ...[folder, by, String(count), String(maxFileBytes)],
          ],
          ...{ stdin: "piped", stdout: "piped", stderr: "inherit" },
        }).spawn()
      );
      const outputs = children.map((child) => child.stdout.getReader());
      await Promise.all(outputs.map((output) => output.read())); // both are ready
      for (const child of children) {
        const writer = child.stdin.getWriter();
        writer.write(new Uint8Array(1));
        writer.releaseLock();
      }
      for (const [index, child] of children.entries()) {
        await outputs[index]?.cancel();
        await child.stdin.close();
        assertEquals((await child.status).code, 0);
      }
      const records = readChain(folder);
      assertEquals(records.length, 2 * count);
      for (const by of ["a", "b"]) {
        const own = records.filter((record) => record["by"] === by).map(({ n }) => n);
        assertEquals(own, Array.from({ length: count }, (_, n) => n), "each in its order");
      }
      const turns = records.filter((record, i) => record["by"] !== records[i - 1]?.["by"]).length;
      assert(turns > 2, `they did not run at once: ${turns} turns`);
    }));
}

/** Takes all the room there is but that much. */
function fillDisk(path: string, leaveBytes: number): void {
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  const page = new Uint8Array(4096);
  let length = 0;
  try {
    for (;;) length += file.writeSync(page);
  } catch {
    file.truncateSync(length - leaveBytes);
  }
}

Deno.test({
  name: "audit: on a full disk record() throws; with room again both files go on well",
  ignore: !IS_ROOT,
  fn: () =>
    withSmallDisk(256, (folder) => {
      const audit = open(folder);
      audit.record("test", { n: 0 });
      let written = 0;
      for (let round = 0; round < 20; round++) {
        fillDisk(`${folder}/ballast`, 8192);
        assertThrows(() => {
          for (let n = 0;; n++) {
            audit.record("test", { round, n, pad: "x".repeat(round * 31) });
            written++;
          }
        });
        assertThrows(() => audit.record("test", { still: "full", pad: "x".repeat(4000) }));
        Deno.removeSync(`${folder}/ballast`);
        audit.record("after", { round });
      }
      audit.close();
      const records = readChain(folder);
      assertEquals(records.filter(({ event }) => event === "after").length, 20);
      assert(records.filter(({ event }) => event === "test").length >= written, "one is missing");
      const log = Deno.readTextFileSync(`${folder}/log`).split("\n");
      for (const { event, seq, hash } of records) {
        if (event === "test") continue;
        const head = `2026-11-22T09:15:00.000Z #${seq} ${hash.slice(0, 8)} ${event.toUpperCase()}`;
        assert(log.some((line) => line.startsWith(head)), `no line of its own for #${seq}`);
      }
    }),
});

Deno.test("audit: records are many a second, and their time is the clock's", () =>
  withFolder((folder) => {
    const clock = stoppedClock();
    const audit = open(folder, { dateMs: clock.dateMs });
    for (let n = 0; n < 3; n++) {
      audit.record("test", {});
      clock.advance(1500);
    }
    audit.close();
    assertEquals(
      readChain(folder).map(({ time }) => time),
      ["09:15:00.000", "09:15:01.500", "09:15:03.000"].map((time) => `2026-11-22T${time}Z`),
    );
    assertStringIncludes(Deno.readTextFileSync(`${folder}/log`), "09:15:03.000Z #3 ");
  }));
