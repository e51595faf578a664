// SPDX-License-Identifier: GPL-2.0-or-later
/** What became of each file of a transfer, and what a person sees meanwhile. @module */

import {
  EXIT_FAILED,
  EXIT_OK,
  isOsError,
  UserError,
  writeAll,
} from "../../../shared/cli/program.ts";
import { spanMs } from "../../../shared/io/clock.ts";
import { printable } from "../../../shared/protocol/printable.ts";
import { createMeter, sizeText } from "../client/meter.ts";
import { visibleJson } from "../client/visible_text.ts";
import { PROGRAM } from "../commands/cli_table.ts";
import type { Given } from "../commands/cli_words.ts";

export interface TransferredFile {
  readonly from: string;
  readonly to: string;
  /** "unchanged": the same was there already. */
  readonly result: "copied" | "unchanged" | "failed" | "skipped";
  readonly bytes: number;
  readonly sha256: string | null;
  /** Why it failed or was skipped. */
  readonly why: string | null;
}

export interface TransferReport {
  /** Whoever reads it gets the hash of each file. */
  readonly showsHashes: boolean;
  /** There is more to come. */
  expect(bytes: number): void;
  /** Of the file that is being copied. */
  at(bytes: number): void;
  add(file: TransferredFile): void;
  /** @param what it is that is not copied */
  skip(names: Pick<TransferredFile, "from" | "to">, what: string): void;
  /** Does it, and counts what fails as that file's. @throws what ends the whole transfer */
  attempt(names: Pick<TransferredFile, "from" | "to">, work: () => Promise<void>): Promise<void>;
  /** @returns the exit code */
  finish(): number;
}

/** Ctrl-C, and a lost connection: what comes after would fail, too. */
const ENDS_ALL: ReadonlySet<number> = new Set([130, 255]);

export function createReport(given: Given): TransferReport {
  const files: TransferredFile[] = [];
  const line = createProgressLine(given);
  let total = 0;
  let doneBytes = 0;
  let exitCode = EXIT_OK;
  const add = (file: TransferredFile): void => {
    files.push(file);
    doneBytes += file.result === "failed" ? 0 : file.bytes;
    line.show(doneBytes, total);
    if (file.why === null) return;
    line.leave();
    writeAll(Deno.stderr, `${PROGRAM}: ${printable(file.from, 300)}: ${file.why}\n`);
  };
  return {
    showsHashes: given.has("json"),
    expect: (bytes) => void (total += bytes),
    at: (bytes) => line.show(doneBytes + bytes, total),
    add,
    skip({ from, to }, what) {
      const why = `not copied: it is ${what}`;
      add({ from, to, result: "skipped", bytes: 0, sha256: null, why });
    },
    async attempt({ from, to }, work) {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof UserError) && !isOsError(error)) throw error;
        const code = error instanceof UserError ? error.exitCode : EXIT_FAILED;
        if (exitCode === EXIT_OK) exitCode = code;
        const why = error.message;
        add({ from, to, result: "failed", bytes: 0, sha256: null, why });
        if (ENDS_ALL.has(code)) throw error;
      }
    },
    finish() {
      line.leave();
      const skipped = files.some(({ result }) => result === "skipped");
      if (exitCode === EXIT_OK && skipped) exitCode = EXIT_FAILED;
      if (given.has("json")) {
        writeAll(Deno.stdout, visibleJson({ files, bytes: doneBytes, exit: exitCode }) + "\n");
      } else if (given.has("verbose")) {
        const copied = files.filter(({ result }) => result === "copied").length;
        writeAll(Deno.stderr, `[${PROGRAM}] ${copied} copied, ${sizeText(doneBytes)}\n`);
      }
      return exitCode;
    },
  };
}

interface ProgressLine {
  show(bytes: number, total: number): void;
  /** The next text begins a line of its own. */
  leave(): void;
}

function createProgressLine(given: Given): ProgressLine {
  const isWanted = Deno.stderr.isTerminal() && !given.has("quiet");
  const meter = createMeter(spanMs);
  let isShown = false;
  return {
    show(bytes, total) {
      const text = isWanted && total > 0 ? meter.at(Math.min(bytes, total), total) : null;
      if (text === null) return;
      writeAll(Deno.stderr, `\r\x1b[K[${PROGRAM}] ${text}`);
      isShown = true;
    },
    leave() {
      if (isShown) writeAll(Deno.stderr, "\n");
      isShown = false;
    },
  };
}
