// SPDX-License-Identifier: GPL-2.0-or-later
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { recogniseNamed } from "../../../dom0/operations/recognise.ts";
import { type Asked, keepForUndo, NotKept } from "../../../dom0/undo/keep_for_undo.ts";
import { runUndo, type UndoEnd } from "../../../dom0/undo/run_undo.ts";
import { nameOfRecord, type UndoRecord } from "../../../dom0/undo/undo_record.ts";
import { createQubeModel, newQube, type QubeModel } from "./qube_model.ts";

const ID = "20261122-091500-1-00000001";
const UNDO_ID = "20261122-100000-2-00000002";

/** What is on the disk; a crash keeps it, and nothing else. */
interface Disk {
  readonly records: Map<string, UndoRecord>;
  /** Called before each write; may throw. */
  onPut: () => void;
  put(record: UndoRecord): Promise<void>;
}

function createDisk(): Disk {
  const records = new Map<string, UndoRecord>();
  const disk: Disk = {
    ...{ records, onPut: () => {} },
    put(record) {
      disk.onPut();
      records.set(nameOfRecord(record), record);
      return Promise.resolve();
    },
  };
  return disk;
}

const dateMs = (): number => Date.UTC(2026, 10, 22);

/** A VM does this, as the daemon runs it. */
async function doIt(
  model: QubeModel,
  disk: Disk,
  call: string,
  step: number | null = null,
): Promise<void> {
  const [name = "", ...pairs] = call.split(" ");
  const recognised = recogniseNamed(name, pairs);
  const asked: Asked = { vm: "agent", id: ID, step };
  const kept = keepForUndo(recognised, asked, { store: disk, read: model.tools.read, dateMs });
  await kept?.begin();
  for (const argv of recognised.argvs) await model.tools.run(argv, 0);
  await kept?.end(0);
}

function ofRequest(disk: Disk, id = ID): readonly UndoRecord[] {
  return [...disk.records.values()].filter((record) => record.id === id);
}

function undo(model: QubeModel, disk: Disk, id = ID, undoId = UNDO_ID): Promise<UndoEnd> {
  const onStep = (): boolean => true;
  return runUndo(ofRequest(disk, id), {
    store: disk,
    tools: model.tools,
    id: undoId,
    dateMs,
    onStep,
  });
}

function statuses(disk: Disk, id = ID): readonly string[] {
  return ofRequest(disk, id).map(({ status }) => status);
}

/** What is done, and what of the qubes it changes. */
const DONE: readonly (readonly [what: string, calls: readonly string[]])[] = [
  ["a property", ["vm.prefs.set vm=work property=memory value=4096"]],
  ["a tag", ["vm.tags.add vm=work tag=ai"]],
  ["a start", ["vm.start vm=work"]],
  ["a rule added", ["vm.firewall.add vm=work action=drop before=0"]],
  ["a rule removed", ["vm.firewall.remove vm=work rule_no=1"]],
  ["all rules removed", ["vm.firewall.reset vm=work"]],
  ["a qube made", ["vm.create vm=new label=red"]],
  ["a plan", [
    "vm.create vm=new label=red",
    "vm.tags.add vm=new tag=ai",
    "vm.prefs.set vm=work property=memory value=800",
    "vm.prefs.set vm=work property=memory value=900",
  ]],
];

function start(): { readonly model: QubeModel; readonly disk: Disk } {
  const model = createQubeModel(["work", "lab"]);
  const rules = [
    { action: "accept", proto: "tcp", dstports: "443" },
    { action: "accept", dst4: "10.0.0.1/32" },
    { action: "drop" },
  ];
  model.qubes.set("work", newQube({ rules }));
  return { model, disk: createDisk() };
}

async function doAll(
  { model, disk }: ReturnType<typeof start>,
  calls: readonly string[],
  of = calls.length,
): Promise<void> {
  for (const [at, call] of calls.entries()) await doIt(model, disk, call, of === 1 ? null : at + 1);
}

for (const [what, calls] of DONE) {
  Deno.test(`undo of ${what}: all is as it was, and it is called undone`, async () => {
    const world = start();
    const before = structuredClone(world.model.qubes);
    await doAll(world, calls);
    assert(JSON.stringify([...world.model.qubes]) !== JSON.stringify([...before]));
    assertEquals(await undo(world.model, world.disk), { kind: "undone" });
    assertEquals(world.model.qubes, before);
    assertEquals(statuses(world.disk), calls.map(() => "undone"));
  });

  Deno.test(`undo of ${what}: a crash at any write or run, and nothing half undone is called undone`, async () => {
    for (let crashAt = 1;; crashAt++) {
      const world = start();
      const { model, disk } = world;
      const before = structuredClone(model.qubes);
      await doAll(world, calls);
      let calm = crashAt;
      const crash = (): null => {
        if (--calm === 0) throw new Error("power cut");
        return null;
      };
      [model.onRun, disk.onPut] = [crash, crash];
      const end = await undo(model, disk).catch(() => "crash");
      [model.onRun, disk.onPut] = [() => null, () => {}];
      if (end !== "crash") {
        assert(crashAt > 2 * calls.length, "no crash came to be");
        break;
      }
      // The newest are undone, then one at most is on its way, and the oldest are as they were.
      const word = statuses(disk).map((status) => status.slice(0, 4)).join(" ");
      assertMatch(word, /^(kept ?)*(undo ?)*$/, `crash ${crashAt}`);
      const left = statuses(disk).filter((status) => status !== "undone").length;
      if (!statuses(disk).includes("undoing")) {
        const asIf = start();
        await doAll(asIf, calls.slice(0, left), calls.length);
        assertEquals(model.qubes, asIf.model.qubes, `crash ${crashAt}`);
      }

      // The operator runs it once more. What may have been done twice is told from what is undone.
      const again = await undo(model, disk, ID, "20261122-110000-3-00000003");
      const isBack = JSON.stringify([...model.qubes]) === JSON.stringify([...before]);
      assertEquals(again.kind === "undone", isBack, `crash ${crashAt}: ${again.kind}`);
      assertEquals(statuses(disk).every((status) => status === "undone"), isBack);
    }
  });
}

Deno.test("undo: a step of the way back that fails ends it, and it goes on from there", async () => {
  const world = start();
  const { model, disk } = world;
  const before = structuredClone(model.qubes);
  await doAll(world, ["vm.firewall.reset vm=work"]);
  let runs = 0;
  model.onRun = () => ++runs === 3 ? "no space left" : null;
  const end = await undo(model, disk);
  assert(end.kind === "stopped");
  assertStringIncludes(end.why, "exit code 1: no space left");
  assertEquals(ofRequest(disk).map(({ status, stepsBack }) => [status, stepsBack]), [[
    "partly",
    2,
  ]]);
  assertEquals(await undo(model, disk, ID, "20261122-110000-3-00000003"), { kind: "undone" });
  assertEquals([model.qubes, runs], [before, 5], "what was done is not done again");
});

Deno.test("undo: of a plan, the newest step first; one that fails leaves the older ones alone", async () => {
  const world = start();
  const { model, disk } = world;
  await doAll(world, [
    "vm.tags.add vm=work tag=a",
    "vm.prefs.set vm=work property=memory value=800",
    "vm.tags.add vm=work tag=c",
  ]);
  model.onRun = (argv) => argv[0] === "qvm-prefs" ? "refused" : null;
  assertEquals((await undo(model, disk)).kind, "stopped");
  assertEquals(statuses(disk), ["kept", "partly", "undone"]);
  assertEquals(model.qubes.get("work")?.tags, ["a"]);
});

Deno.test("undo: what ran and did not help is not called undone", async () => {
  const world = start();
  const { model, disk } = world;
  await doAll(world, ["vm.prefs.set vm=work property=memory value=800"]);
  model.onRun = () => null;
  const lying = { ...model.tools, run: () => Promise.resolve({ code: 0, said: "" }) };
  const onStep = (): boolean => true;
  const run = { store: disk, tools: lying, id: UNDO_ID, dateMs, onStep };
  const end = await runUndo(ofRequest(disk), run);
  assertEquals([end.kind, statuses(disk)], ["differs", ["partly"]]);
});

Deno.test("undo: an undo is kept as well, and can be undone in turn", async () => {
  const world = start();
  const { model, disk } = world;
  await doAll(world, [
    "vm.prefs.set vm=work property=memory value=800",
    "vm.tags.add vm=work tag=ai",
  ]);
  const after = structuredClone(model.qubes);
  assertEquals((await undo(model, disk)).kind, "undone");
  assertEquals(ofRequest(disk, UNDO_ID).map(({ vm, step, operation }) => [vm, step, operation]), [
    ["dom0", 1, "vm.tags.remove"],
    ["dom0", 2, "vm.prefs.set"],
  ]);
  assertEquals((await undo(model, disk, UNDO_ID, "20261122-110000-3-00000003")).kind, "undone");
  assertEquals(model.qubes, after);
});

Deno.test("undo: what somebody has taken back already is undone, and nothing is run", async () => {
  const world = start();
  const { model, disk } = world;
  await doAll(world, ["vm.prefs.set vm=work property=memory value=800"]);
  Object.assign(model.qubes.get("work") ?? {}, { memory: "400" });
  const runs = model.ran.length;
  assertEquals((await undo(model, disk)).kind, "undone");
  assertEquals([model.ran.length, statuses(disk)], [runs, ["undone"]]);
});

Deno.test("before an operation runs, what is there is on the disk; else it does not run", async () => {
  const { model, disk } = start();
  disk.onPut = () => {
    throw new Error("no space left");
  };
  await assertRejects(
    () => doIt(model, disk, "vm.tags.add vm=work tag=ai"),
    NotKept,
    "no space left",
  );
  assertEquals(model.ran, []);
  disk.onPut = () => {};
  let onDisk: readonly UndoRecord[] = [];
  model.onRun = () => {
    onDisk = ofRequest(disk);
    return null;
  };
  await doIt(model, disk, "vm.tags.add vm=work tag=ai");
  assertEquals(onDisk.map(({ before, after, exitCode }) => [before, after, exitCode]), [
    [{ value: false }, null, null],
  ]);
  assertEquals(ofRequest(disk).map(({ after, exitCode }) => [after, exitCode]), [[
    { value: true },
    0,
  ]]);
});

Deno.test("of an operation that cannot be undone, and of one that only reads, nothing is kept", () => {
  const { model, disk } = start();
  const keeper = { store: disk, read: model.tools.read, dateMs };
  const asked: Asked = { vm: "agent", id: ID, step: null };
  for (
    const [name, ...pairs] of [["vm.remove", "vm=work"], ["vm.prefs.list", "vm=work"]] as const
  ) {
    assertEquals(keepForUndo(recogniseNamed(name, pairs), asked, keeper), null);
  }
});
