// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How far the audit has come, kept apart from it, so that cutting off its end is noticed. Whoever may
 * write to the log folder may not write here. There are two such files, of one line each:
 *
 *     /var/lib/qvm-remote/audit-anchor   what is on the disk. It is written after each sync of the
 *                                        audit and never waits for the disk itself: so a power cut
 *                                        may leave it behind the audit, and never ahead of it
 *     /run/qvm-remote/audit-anchor       each record, as soon as it is written. It is in memory, and
 *                                        gone when what the disk had not got yet is gone, too
 *
 *     audit-anchor 1 dropped=000000000000000 seq=000000000000042 hash=<64 hex digits>
 *
 * "dropped" is the last record that was dropped with the oldest file when the files were rotated. The
 * line is always of one length and is written over the old one, by one write to one sector.
 *
 * @module
 */

import { dirname } from "@std/path/posix/dirname";
import { PRIVATE_FILE, PRIVATE_FOLDER } from "../../shared/io/private_modes.ts";
import { writeAll } from "../../shared/cli/program.ts";
import { newerFormat } from "../../shared/io/state_formats.ts";
import { ifPresentSync, readIfPresent } from "../../shared/io/sync_files.ts";
import type { ChainEnd } from "./audit_chain.ts";

export interface AnchorPaths {
  readonly anchorFile: string;
  /** In a folder that is there while a daemon runs. */
  readonly liveAnchorFile: string;
}

export interface Anchor extends ChainEnd {
  readonly dropped: number;
}

/** In the line itself, too: a program from before "formats" knows only that. */
export const ANCHOR_VERSION = 1;
const LINE = /^audit-anchor 1 dropped=([0-9]{15}) seq=([0-9]{15}) hash=([0-9a-f]{64})\n$/;

export function anchorText({ dropped, seq, hash }: Anchor): string {
  const digits = (count: number): string => String(count).padStart(15, "0");
  return `audit-anchor ${ANCHOR_VERSION} dropped=${digits(dropped)} seq=${
    digits(seq)
  } hash=${hash}\n`;
}

/** null: not an anchor. */
export function parseAnchor(text: string): Anchor | null {
  const [, dropped, seq, hash] = LINE.exec(text) ?? [];
  return hash === undefined ? null : { dropped: Number(dropped), seq: Number(seq), hash };
}

/** What both files say; null for one that is missing or not an anchor. */
export interface Anchors {
  readonly onDisk: Anchor | null;
  readonly live: Anchor | null;
}

export function readAnchors({ anchorFile, liveAnchorFile }: AnchorPaths): Anchors {
  return { onDisk: readAnchor(anchorFile), live: readAnchor(liveAnchorFile) };
}

/** @throws {ConfigError} a newer program wrote it */
function readAnchor(path: string): Anchor | null {
  const text = new TextDecoder().decode(readIfPresent(path));
  const version = Number(/^audit-anchor ([0-9]{1,6}) /.exec(text)?.[1] ?? 0);
  if (version > ANCHOR_VERSION) throw newerFormat(path, version, ANCHOR_VERSION);
  return parseAnchor(text);
}

/** The one that is further on. */
export function newestAnchor({ onDisk, live }: Anchors): Anchor | null {
  if (onDisk === null || live === null) return onDisk ?? live;
  return live.seq > onDisk.seq ? live : onDisk;
}

/** How the chain falls short of its anchor. */
export type Shortfall =
  | { readonly kind: "cut"; readonly from: number; readonly to: number }
  | { readonly kind: "altered"; readonly seq: number };

/** @returns null: the chain ends where the anchor says, or goes on after it */
export function shortfall(anchor: Anchor, end: ChainEnd): Shortfall | null {
  if (end.seq < anchor.seq) return { kind: "cut", from: end.seq + 1, to: anchor.seq };
  return end.seq === anchor.seq && end.hash !== anchor.hash
    ? { kind: "altered", seq: end.seq }
    : null;
}

/** Call only under the audit's lock: several programs may record at once. */
export interface AnchorWriter {
  read(): Anchors;
  /** Begins an anchor where there was none; on the disk when this returns. */
  begin(end: ChainEnd): void;
  /** It is in the file. */
  recorded(end: ChainEnd): void;
  /** It is on the disk. */
  synced(end: ChainEnd): void;
  /** Records up to this one are about to be dropped; noted on the disk when this returns. */
  dropping(upTo: number): void;
}

export function createAnchorWriter(paths: AnchorPaths): AnchorWriter {
  const { anchorFile, liveAnchorFile } = paths;
  const onDisk = (): Anchor | null => readAnchor(anchorFile);
  const begin = (anchor: Anchor): void => {
    Deno.mkdirSync(dirname(anchorFile), { recursive: true, mode: PRIVATE_FOLDER });
    writeOver(anchorFile, anchor, "create", "wait");
    using folder = Deno.openSync(dirname(anchorFile), { read: true });
    folder.syncSync();
  };
  return {
    read: () => readAnchors(paths),
    begin: (end) => begin({ ...end, dropped: 0 }),
    recorded(end) {
      // Without a daemon there is no such folder, and whoever records waits for the disk.
      ifPresentSync(() => writeOver(liveAnchorFile, { ...end, dropped: 0 }, "create"));
    },
    synced(end) {
      const before = onDisk();
      if (before === null) begin({ ...end, dropped: 0 });
      else if (end.seq > before.seq) writeOver(anchorFile, { ...before, ...end });
    },
    dropping(upTo) {
      const before = onDisk();
      if (before === null) return; // the next sync begins a new one, and that is recorded
      writeOver(anchorFile, { ...before, dropped: Math.max(before.dropped, upTo) }, "", "wait");
    },
  };
}

function writeOver(
  path: string,
  { seq, hash, dropped }: Anchor,
  create: "create" | "" = "",
  wait: "wait" | "" = "",
): void {
  using file = Deno.openSync(path, {
    write: true,
    create: create !== "",
    mode: PRIVATE_FILE,
  });
  const text = anchorText({ seq, hash, dropped });
  writeAll(file, text);
  if (wait !== "") {
    file.truncateSync(text.length); // it may have been something else
    file.syncSync();
  }
}
