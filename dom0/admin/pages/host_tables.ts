// SPDX-License-Identifier: GPL-2.0-or-later
/** Memory and disks of dom0, in sizes that people read. @module */

import { type Html, lines, markup } from "../markup/markup.ts";
import { empty, table } from "./parts.ts";

type Disk = Readonly<Record<string, string | null>>;

const KIB_PER_GIB = 1024 * 1024;
const GIB = 1024 ** 3;
/** What a person keeps files on. */
const REAL = /^\/(?!(dev|run(?!\/media\/)|sys|proc)(\/|$))/;

/** @param rows of host.disk */
export function diskTable(rows: readonly Disk[]): Html {
  const shown = rows.filter((row) => REAL.test(row["mounted_on"] ?? ""));
  if (shown.length === 0) return empty("No file system is listed.");
  const size = (kib: string | null | undefined): string =>
    `${(Number(kib) / KIB_PER_GIB).toFixed(1)} GB`;
  return table(
    [{ name: "Folder" }, { name: "Free", look: "num" }, { name: "Size", look: "num" }, {
      name: "Used",
      look: "num",
    }],
    shown.map((row) => ({
      cells: [
        markup`<code>${row["mounted_on"]}</code>`,
        size(row["free_kib"]),
        size(row["kib"]),
        row["used_percent"],
      ],
    })),
  );
}

/** @param printed by free(1), in bytes */
export function memoryTable(printed: string): Html {
  const [head = [], ...rows] = printed.trimEnd().split("\n").map((line) => line.trim().split(/ +/));
  const place = (column: string): number => head.indexOf(column) + 1;
  if (!["total", "used", "available"].every((column) => place(column) > 0)) {
    return markup`<div class="body"><pre tabindex="0" aria-label="Memory">${
      lines(printed)
    }</pre></div>`;
  }
  return table(
    [{ name: "Of" }, { name: "Total", look: "num" }, { name: "Used", look: "num" }, {
      name: "Available",
      look: "num",
    }],
    rows.map(([name = "", ...sizes]) => ({
      cells: [
        name === "Mem:" ? "Memory" : name.replace(/:$/, ""),
        ...["total", "used", "available"].map((column) => {
          const bytes = sizes[place(column) - 1];
          return bytes === undefined ? "" : `${(Number(bytes) / GIB).toFixed(1)} GB`;
        }),
      ],
    })),
  );
}
