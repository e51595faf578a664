// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { previewOf } from "../../../dom0/approval/preview.ts";
import type { JsonValue } from "../../../dom0/operations/operation.ts";
import { recogniseNamed } from "../../../dom0/operations/recognise.ts";
import { OPERATIONS } from "../../../dom0/operations/table.ts";
import { outlookOf } from "../../../dom0/operations/outlook.ts";
import { CHANGES } from "../../../dom0/operations/undo.ts";
import { ReadError } from "../../../dom0/run/read_operation.ts";

/** What dom0's tools would print, by operation. */
const THERE: Readonly<Record<string, JsonValue>> = {
  "vm.prefs.list": { memory: { value: "400", isDefault: true } },
  "vm.features.list": { gui: "1" },
  "vm.tags.list": ["ai"],
  "vm.services.list": { clocksync: "on" },
  "vm.firewall.list": [{ action: "accept", dsthost: "a.example" }, { action: "drop" }],
  "vm.info": [{ name: "work", state: "Running", disk: "2048" }],
  "vm.names": ["work"],
  "vm.prefs.get": "1772352000.5",
  "volume.info": ["1", "1772265600-back"],
};

const rows = (name: string, ...pairs: string[]) => rowsOf(THERE, name, ...pairs);

async function rowsOf(
  printed: typeof THERE,
  name: string,
  ...pairs: string[]
): Promise<readonly unknown[]> {
  const { rows, unknown } = await previewOf(recogniseNamed(name, pairs), (read, values) => {
    assert(OPERATIONS.get(read)?.level === "monitor", `${read} changes something`);
    recogniseNamed(read, [...values].map(([key, value]) => `${key}=${value}`)); // its own parameters
    const there = values.get("property") === "usage" ? ["2048"] : printed[read];
    return there === undefined ? Promise.reject(new ReadError("no")) : Promise.resolve(there);
  });
  assertEquals(unknown, []);
  return rows.map(({ what, before, after }) => [what, before, after]);
}

Deno.test("preview: the old value and the new one", async () => {
  assertEquals(await rows("vm.prefs.set", "vm=work", "property=memory", "value=800"), [
    ["memory of work", { value: "400", isDefault: true }, { value: "800", isDefault: false }],
  ]);
  assertEquals(await rows("vm.features.set", "vm=work", "feature=gui", "value=0"), [
    ["feature gui of work", "1", "0"],
  ]);
  assertEquals(await rows("vm.tags.add", "vm=work", "tag=lab"), [["tag lab of work", false, true]]);
  assertEquals(await rows("vm.services.disable", "vm=work", "service=clocksync"), [
    ["service clocksync of work", "on", "off"],
  ]);
  assertEquals(await rows("vm.shutdown", "vm=work"), [["state of work", "Running", "Halted"]]);
  assertEquals(await rows("vm.create", "vm=new", "label=red"), [[
    "whether there is new",
    false,
    true,
  ]]);
  assertEquals(
    await rows("vm.create", "vm=new", "label=red", "template=debian-13"),
    [["whether there is new", false, true]],
    "the qube that is made, not what it is made from",
  );
});

Deno.test("preview: the rules of a firewall before and after", async () => {
  const first = { action: "accept", dsthost: "a.example" };
  assertEquals(await rows("vm.firewall.remove", "vm=work", "rule_no=0"), [
    ["firewall of work", [first, { action: "drop" }], [{ action: "drop" }]],
  ]);
  const [[, , after] = []] = await rows(
    "vm.firewall.add",
    "vm=work",
    "before=1",
    "action=drop",
  ) as unknown[][];
  assertEquals(after, [first, { action: "drop" }, { action: "drop" }]);
});

Deno.test("preview: a qube that would be removed: state, size, last start, last shutdowns", async () => {
  const info = ["the qube work", { name: "work", state: "Running", disk: "2048" }, null];
  const revisions = ["1", "1772265600-back (2026-02-28T08:00:00.000Z)"];
  const shutdowns = ["states of work:private from its last shutdowns", revisions, undefined];
  const used = ["root", "private"].map((name) => [`bytes used by work:${name}`, "2048", undefined]);
  assertEquals(await rows("vm.remove", "vm=work"), [
    info,
    ["last start of work", "2026-03-01T08:00:00.500Z", undefined],
    ...used,
    shutdowns,
  ]);
  for (const printed of ["", "None", "-1", "1e99", "9".repeat(300)]) {
    assertEquals(await rowsOf({ ...THERE, "vm.prefs.get": printed }, "vm.remove", "vm=work"), [
      info,
      ["last start of work", "not known to Qubes while it is halted", undefined],
      ...used,
      shutdowns,
    ]);
  }
});

Deno.test("preview: everything that can be undone has one, and it says what will be", () => {
  for (const name of CHANGES.keys()) {
    const operation = OPERATIONS.get(name);
    if (operation === undefined) throw new Error(name);
    const values = new Map([...operation.parameters.keys()].map((key) => [key, "x"] as const));
    const [first] = outlookOf({ operation, values });
    assert(first !== undefined, name);
    assert(OPERATIONS.get(first.reads)?.level === "monitor", name);
    const known = [...OPERATIONS.get(first.reads)?.parameters.keys() ?? []];
    assertEquals([...first.values.keys()].filter((key) => !known.includes(key)), [], name);
  }
});

Deno.test("preview: an operation that only reads has none", async () => {
  assertEquals(await rows("vm.list"), []);
  assertEquals((await previewOf(null, () => Promise.reject(new Error("not read")))).rows, []);
});
