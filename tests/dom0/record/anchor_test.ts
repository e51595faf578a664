// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals, assertMatch } from "@std/assert";
import { anchorText, parseAnchor, readAnchors } from "../../../dom0/record/anchor.ts";
import { CHAIN_START, chainRecord } from "../../../dom0/record/audit_chain.ts";
import type { CheckedAudit } from "../../../dom0/record/audit_check.ts";
import { chainFiles, checkChainFiles } from "../../../dom0/record/audit_files.ts";
import { openAudit } from "../../../dom0/record/audit_log.ts";
import { auditPaths, modeOf, stoppedClock, withFolder } from "../fixture.ts";

type Paths = ReturnType<typeof auditPaths>;
type Change = (paths: Paths) => void;

/** Records so many, and ends as a daemon that is stopped. */
function record(paths: Paths, count: number, maxFileBytes = 1e6): void {
  const audit = openAudit({ ...paths, dateMs: stoppedClock().dateMs, maxFileBytes });
  for (let n = 0; n < count; n++) audit.record("test", { n });
  audit.close();
}

function changeLines(change: (lines: string[]) => readonly string[]): Change {
  return ({ auditFile }) => {
    const lines = Deno.readTextFileSync(auditFile).trimEnd().split("\n");
    Deno.writeTextFileSync(auditFile, change(lines).map((line) => `${line}\n`).join(""));
  };
}

/** The whole chain made anew, with one word changed: every hash fits. */
const REWRITTEN = changeLines((lines) => {
  let end = { seq: 0, hash: CHAIN_START };
  return lines.map((line) => {
    const { seq: _seq, prev: _prev, hash: _hash, time, event, n } = JSON.parse(line);
    const record = chainRecord(end, time, event, { n: n === 2 ? 999 : n });
    end = record;
    return record.line.trimEnd();
  });
});

function kinds({ findings }: CheckedAudit): readonly string[] {
  return findings.map(({ kind, line }) => line === null ? kind : `${kind}:${line}`);
}

const TAMPERED: readonly (readonly [what: string, change: Change, found: readonly string[]])[] = [
  ["nothing", () => {}, []],
  ["the newest record cut off", changeLines((lines) => lines.slice(0, -1)), ["cut"]],
  ["half of it cut off", changeLines((lines) => lines.slice(0, 5)), ["cut"]],
  ["everything cut off", changeLines(() => []), ["cut"]],
  ["the file removed", ({ auditFile }) => Deno.removeSync(auditFile), ["cut"]],
  [
    "a word changed",
    changeLines((lines) => lines.with(2, (lines[2] ?? "").replace('"n":2', '"n":9'))),
    ["edited:3"],
  ],
  [
    "the last word changed",
    changeLines((lines) => lines.with(9, (lines[9] ?? "").replace('"n":9', '"n":1'))),
    ["edited:10"],
  ],
  ["the whole chain made anew", REWRITTEN, ["edited:10"]],
  ["a line taken out", changeLines((lines) => lines.toSpliced(4, 1)), ["deleted:5"]],
  ["some lines taken out", changeLines((lines) => lines.toSpliced(4, 3)), ["deleted:5"]],
  ["a line put in", changeLines((lines) => lines.toSpliced(4, 0, lines[1] ?? "")), ["put-in:5"]],
  [
    "a line replaced by nonsense",
    changeLines((lines) => lines.with(4, "nonsense")),
    ["edited:5", "deleted:6"],
  ],
  ["the anchor removed", ({ anchorFile }) => Deno.removeSync(anchorFile), ["anchor-missing"]],
  [
    "the anchor made nonsense",
    ({ anchorFile }) => Deno.writeTextFileSync(anchorFile, "1 2\n"),
    ["anchor-missing"],
  ],
];

for (const [what, change, found] of TAMPERED) {
  Deno.test(`audit: ${what}: verify tells which it is`, () =>
    withFolder(async (folder) => {
      const paths = auditPaths(folder);
      record(paths, 10);
      change(paths);
      assertEquals(kinds(await checkChainFiles(paths)), found);
    }));
}

Deno.test("audit: what was cut off before the daemon went on is told for ever", () =>
  withFolder(async (folder) => {
    const paths = auditPaths(folder);
    record(paths, 10);
    changeLines((lines) => lines.slice(0, 7))(paths);
    record(paths, 2);
    const lines = Deno.readTextFileSync(paths.auditFile).trimEnd().split("\n");
    const records = lines.map((line) => JSON.parse(line));
    assertEquals(
      records.slice(6).map(({ seq, event }) => [seq, event]),
      [[7, "test"], [11, "audit-cut"], [12, "test"], [13, "test"]],
    );
    assertEquals([records[7].missing_from, records[7].missing_to], [8, 10]);
    const checked = await checkChainFiles(paths);
    assertEquals([kinds(checked), checked.anchored], [["cut:8"], 13]);
    assertMatch(checked.findings[0]?.why ?? "", /^records #8 to #10 are missing before it/);
    record(paths, 1);
    assertEquals(kinds(await checkChainFiles(paths)), ["cut:8"]);
  }));

Deno.test("audit: a chain that was made anew is told, though the daemon goes on behind it", () =>
  withFolder(async (folder) => {
    const paths = auditPaths(folder);
    record(paths, 10);
    REWRITTEN(paths);
    record(paths, 1);
    const checked = await checkChainFiles(paths);
    assertEquals(kinds(checked), ["edited:11"]);
    assertEquals(checked.end.seq, 12);
  }));

Deno.test("audit: a whole rotated file that is gone is told, wherever it was", () =>
  withFolder(async (folder) => {
    const paths = auditPaths(folder);
    for (const records of [12, 60]) { // with files that were dropped, and without
      await Deno.remove(folder, { recursive: true });
      await Deno.mkdir(folder);
      record(paths, records, 1200);
      const files = await chainFiles(paths.auditFile);
      assertEquals(files.length > 8, records === 60, `${files.length} files`);
      assertEquals(kinds(await checkChainFiles(paths)), []);
      for (const [at, file] of files.entries()) {
        await Deno.rename(file, `${folder}/gone`);
        const expected = at === files.length - 1 ? ["cut"] : ["file-deleted:1"];
        assertEquals(kinds(await checkChainFiles(paths)), expected, file);
        await Deno.rename(`${folder}/gone`, file);
      }
    }
  }));

Deno.test("audit: each record is anchored while a daemon runs, and what is synced on the disk", () =>
  withFolder(async (folder) => {
    const paths = auditPaths(folder);
    await Deno.mkdir(`${folder}/run`);
    const seqs = (): readonly unknown[] => {
      const { onDisk, live } = readAnchors(paths);
      return [onDisk?.seq, live?.seq];
    };
    const audit = openAudit({ ...paths, dateMs: stoppedClock().dateMs });
    audit.record("test", {});
    assertEquals(seqs(), [0, 1]);
    await audit.sync();
    audit.record("test", {});
    audit.record("test", {});
    assertEquals(seqs(), [1, 3], "the disk's is never ahead of the disk");
    assertEquals([modeOf(paths.anchorFile), modeOf(paths.liveAnchorFile)], [0o600, 0o600]);

    // The daemon is killed, and somebody cuts off what was never synced.
    const whole = Deno.readTextFileSync(paths.auditFile);
    changeLines((lines) => lines.slice(0, 1))(paths);
    assertEquals(kinds(await checkChainFiles(paths)), ["cut"]);

    // The power is cut: neither the end of the record nor what is in memory is there any more.
    Deno.removeSync(paths.liveAnchorFile);
    assertEquals(kinds(await checkChainFiles(paths)), [], "no alarm for what a power cut takes");

    // The record is there, and the disk had not got the anchor yet.
    Deno.writeTextFileSync(paths.auditFile, whole);
    const { findings, notes } = await checkChainFiles(paths);
    assertEquals([findings.length, notes.length], [0, 1]);
    assertMatch(
      notes[0] ?? "",
      /^The anchor is of #1, 2 before the end: this is so after a power cut/,
    );
    audit.close();
    assertEquals(seqs(), [3, undefined]);
  }));

Deno.test("audit: of an earlier version it is anchored with the next record, which says so", () =>
  withFolder(async (folder) => {
    const paths = auditPaths(folder);
    record(paths, 3);
    Deno.removeSync(paths.anchorFile);
    record(paths, 1);
    const checked = await checkChainFiles(paths);
    assertEquals([kinds(checked), checked.records, checked.anchored], [[], 5, 5]);
    assertMatch(checked.notes.join(), /^The anchor was begun with #4: /);
  }));

Deno.test("audit: an anchor that is older than another program's is not put in its place", () =>
  withFolder((folder) => {
    const paths = auditPaths(folder);
    const { dateMs } = stoppedClock();
    const [one, other] = [openAudit({ ...paths, dateMs }), openAudit({ ...paths, dateMs })];
    one.record("test", {});
    other.record("test", {});
    other.record("test", {});
    other.close();
    one.close();
    assertEquals(readAnchors(paths).onDisk?.seq, 3);
  }));

Deno.test("an anchor's line is of one length, and nothing else is one", () => {
  const anchor = { dropped: 7, seq: 123_456, hash: "a".repeat(64) };
  const text = anchorText(anchor);
  assertEquals(parseAnchor(text), anchor);
  assertEquals(text.length, anchorText({ dropped: 0, seq: 0, hash: CHAIN_START }).length);
  for (const bad of ["", text + text, text.slice(0, -1), text.replace("1 ", "2 "), "x" + text]) {
    assertEquals(parseAnchor(bad), null);
  }
  assert(text.length < 512, "more than one sector");
});
