// SPDX-License-Identifier: GPL-2.0-or-later
/** What the doctor decides without a VM: versions, memory, and the order of what it says. @module */

import { assertEquals } from "@std/assert";
import { doctorOutcome } from "../../../../vm/ctl/commands/doctor.ts";
import { type DoctorScene, error, warning } from "../../../../vm/ctl/doctor/finding.ts";
import { examineMemory } from "../../../../vm/ctl/doctor/keys.ts";
import { isNodeGood, isOlder, readVersion } from "../../../../vm/ctl/doctor/versions.ts";

Deno.test("versions are read and compared by their numbers", () => {
  assertEquals(readVersion("OpenClaw 2026.9.6 (eb377ac)"), [2026, 9, 6]);
  assertEquals(readVersion("v24.21.0"), [24, 21, 0]);
  for (const odd of ["", "2026.9", "x", "12345.1.1"]) assertEquals(readVersion(odd), null);
  for (
    const [a, b, older] of [
      [[2026, 9, 6], [2026, 9, 6], false],
      [[2026, 9, 5], [2026, 9, 6], true],
      [[2026, 10, 0], [2026, 9, 6], false],
      [[2025, 12, 31], [2026, 1, 1], true],
    ] as const
  ) assertEquals(isOlder(a, b), older);
});

Deno.test("Node: from 24.16 but not 25, from 26.1", () => {
  for (
    const [version, good] of [
      [[20, 20, 2], false],
      [[24, 15, 9], false],
      [[24, 16, 0], true],
      [[25, 9, 0], false],
      [[26, 0, 9], false],
      [[26, 1, 0], true],
      [[27, 0, 0], true],
    ] as const
  ) assertEquals(isNodeGood(version), good, version.join("."));
});

Deno.test("memory: an error below 1.9 GiB, a warning below 3.5, for the agent VM only", async () => {
  const levels = async (role: string, gibibytes: number) => {
    const here = { settings: { role }, memoryBytes: () => gibibytes * 2 ** 30 };
    return (await examineMemory(here as unknown as DoctorScene)).map(({ id, level }) =>
      `${id} ${level}`
    );
  };
  assertEquals(await levels("agent", 1), ["memory-low error"]);
  assertEquals(await levels("agent", 2), ["memory-low warning"]);
  assertEquals(await levels("agent", 3.7), []);
  assertEquals(await levels("keys", 0.4), []);
});

Deno.test("errors come first; warnings alone are good", () => {
  const [bad, odd] = [error("mode", "a", "b"), warning("not-ready", "c", "d")];
  const both = doctorOutcome([odd, bad]);
  assertEquals(both.ok, false);
  assertEquals(
    both.text,
    "error: mode: a\n  fix: b\nwarning: not-ready: c\n  fix: d\n1 errors, 1 warnings\n",
  );
  assertEquals(doctorOutcome([odd]).ok, true);
  assertEquals(doctorOutcome([]).text, "nothing was found\n");
});
