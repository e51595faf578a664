// SPDX-License-Identifier: GPL-2.0-or-later
/** Memory and disks of dom0, as a page shows them. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { htmlText } from "../../../../dom0/admin/markup/markup.ts";
import { diskTable, memoryTable } from "../../../../dom0/admin/pages/host_tables.ts";

const disk = (mounted_on: string) => ({
  ...{ mounted_on, filesystem: "/dev/sda", kib: "2097152", free_kib: "1048576" },
  used_percent: "50%",
});

Deno.test("disks are those with files of people, a mounted one of theirs among them", () => {
  const folders = ["/", "/run", "/run/user/0", "/run/media/user/disk", "/dev/shm", "/devices"];
  const shown = htmlText(diskTable(folders.map(disk)));
  const found = [...shown.matchAll(/<code>([^<]*)<\/code>/g)].map(([, folder]) => folder);
  assertEquals(found, ["/", "/run/media/user/disk", "/devices"]);
  assertMatch(shown, /1\.0 GB[^]*2\.0 GB[^]*50%/);
});

Deno.test("memory is said in GB, and as it was printed where that has another form", () => {
  const shown = htmlText(memoryTable(
    "       total  used  free  shared  buff/cache  available\n" +
      "Mem:   4294967296  1073741824  1  2  3  2147483648\nSwap:  1073741824  0  1073741824\n",
  ));
  assertMatch(shown, /Memory[^]*4\.0 GB[^]*1\.0 GB[^]*2\.0 GB[^]*Swap[^]*1\.0 GB[^]*0\.0 GB/);
  assert(!shown.includes("NaN"));
  assertMatch(htmlText(memoryTable("of another form\n")), /<pre[^>]*>of another form/);
});
