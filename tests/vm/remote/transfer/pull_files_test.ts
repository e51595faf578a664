// SPDX-License-Identifier: GPL-2.0-or-later
/** A pull asks dom0 for each byte once, and takes no file that changed meanwhile. */

import { assertEquals } from "@std/assert";
import { sha256Hex } from "../../../../shared/io/sha256.ts";
import type { CallDom0, Pairs } from "../../../../vm/remote/transfer/call_dom0.ts";
import { pullFiles } from "../../../../vm/remote/transfer/pull_files.ts";
import type {
  TransferredFile,
  TransferReport,
} from "../../../../vm/remote/transfer/transfer_report.ts";
import { createPrng } from "../../../fuzz/prng.ts";
import { namesIn, withFolder } from "../../../dom0/fixture.ts";

const RANGE_BYTES = 8 * 1024 * 1024;

interface Far {
  data: Uint8Array;
  version: string | null;
  /** Called after each range. */
  onRead: () => void;
  /** What was asked, in a word each. */
  readonly asked: string[];
}

function dom0Of(far: Far): CallDom0 {
  const numberOf = (pairs: Pairs, name: string): number =>
    Number(pairs.find(([key]) => key === name)?.[1]);
  return {
    async run(_name, pairs, { begin } = {}) {
      far.asked.push("read");
      const offset = numberOf(pairs, "offset");
      const range = far.data.slice(offset, offset + numberOf(pairs, "bytes"));
      await begin?.()(range);
      far.onRead();
    },
    value(_name, pairs) {
      const hash = pairs.some(([key, value]) => key === "hash" && value === "true");
      far.asked.push(hash ? "hash" : "stat");
      return Promise.resolve({
        type: "regular file",
        size: String(far.data.length),
        mode: "640",
        mtime: "1000000000",
        ...far.version === null ? {} : { version: far.version },
        ...hash ? { sha256: sha256Hex(far.data) } : {},
      });
    },
  };
}

function reportTo(files: TransferredFile[], showsHashes: boolean): TransferReport {
  return {
    showsHashes,
    expect() {},
    at() {},
    add: (file) => void files.push(file),
    skip() {},
    async attempt(names, work) {
      try {
        await work();
      } catch (error) {
        const why = error instanceof Error ? error.message : `${error}`;
        files.push({ ...names, result: "failed", bytes: 0, sha256: null, why });
      }
    },
    finish: () => 0,
  };
}

async function pull(
  folder: string,
  far: Far,
  { force = false, showsHashes = false } = {},
): Promise<TransferredFile | undefined> {
  const files: TransferredFile[] = [];
  far.asked.length = 0;
  const report = reportTo(files, showsHashes);
  await pullFiles(["/srv/file"], `${folder}/file`, { dom0: dom0Of(far), report, force });
  return files[0];
}

const farOf = (bytes: number): Far => ({
  data: createPrng(5).bytes(bytes),
  version: "1.2.3",
  onRead() {},
  asked: [],
});

Deno.test("a new file is read once; what is here already costs the hash of all of it", () =>
  withFolder(async (folder) => {
    const far = farOf(2 * RANGE_BYTES + 5);
    const done = await pull(folder, far);
    assertEquals([done?.result, done?.sha256], ["copied", null]);
    assertEquals(far.asked, ["stat", "read", "read", "read", "stat"]);
    assertEquals(sha256Hex(Deno.readFileSync(`${folder}/file`)), sha256Hex(far.data));
    assertEquals((await pull(folder, far))?.result, "unchanged");
    assertEquals(far.asked, ["stat", "hash"]);
    Deno.removeSync(`${folder}/file`);
    const shown = await pull(folder, far, { showsHashes: true });
    assertEquals(shown?.sha256, sha256Hex(far.data), "whoever looks gets it");
    assertEquals(far.asked.includes("hash"), false);
    Deno.removeSync(`${folder}/file`);
    Deno.writeFileSync(`${folder}/.file.qvm-remote-part`, far.data.slice(0, RANGE_BYTES + 5));
    assertEquals((await pull(folder, far))?.result, "copied");
    assertEquals(far.asked, ["stat", "hash", "read"]);
    assertEquals(namesIn(folder), ["file"]);
  }));

Deno.test("a dom0 that gives no version of a file is asked for its hash", () =>
  withFolder(async (folder) => {
    const far = { ...farOf(9), version: null };
    assertEquals((await pull(folder, far))?.result, "copied");
    assertEquals(far.asked, ["stat", "hash", "read"]);
  }));

Deno.test("a file that changed while it was read is not taken", () =>
  withFolder(async (folder) => {
    const far = farOf(RANGE_BYTES + 1);
    far.onRead = () => void (far.version = "1.2.4"); // written to, and the ranges do not fit
    const changed = await pull(folder, far);
    assertEquals(changed?.why, "it was changed while it was read: try again");
    assertEquals(namesIn(folder), []);
    assertEquals((await pull(folder, far, { force: true }))?.result, "copied");
    assertEquals(sha256Hex(Deno.readFileSync(`${folder}/file`)), sha256Hex(far.data));
  }));
