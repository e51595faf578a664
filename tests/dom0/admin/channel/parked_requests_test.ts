// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { readParked } from "../../../../dom0/admin/channel/parked_requests.ts";
import type { ParkedView } from "../../../../dom0/approval/parked_view.ts";
import { withFolder } from "../../fixture.ts";

const VIEW: ParkedView = {
  number: 1,
  vm: "agent",
  id: "20261122-091500-1-00000001",
  hash: "h",
  parkedAtMs: 0,
  expiresAtMs: 3600_000,
  operation: "plan",
  level: "manage",
  summary: "Run 2 steps",
  targets: ["work"],
  rule: "50-agent.policy:3",
  why: null,
  brings: null,
  timeoutMs: 300_000,
  argvs: [["qvm-start", "work"]],
  steps: ["step 1: vm.start vm=work", "step 2: vm.start vm=${made.name} (known only when it runs)"],
  destructive: false,
  grantable: "same",
  undo: "",
  preview: { rows: [], unknown: [] },
};

async function runsOf(view: ParkedView): Promise<readonly string[] | undefined> {
  let runs: readonly string[] | undefined;
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/agent-1.json`, JSON.stringify(view));
    runs = (await readParked(folder))[0]?.runs;
  });
  return runs;
}

Deno.test("of a plan each step is shown, those too whose words are not known yet", async () => {
  assertEquals(await runsOf(VIEW), VIEW.steps);
});

Deno.test("of an operation the command lines are shown that dom0 would run", async () => {
  assertEquals(await runsOf({ ...VIEW, operation: "vm.start", steps: null }), ["qvm-start work"]);
});

Deno.test("of a plan each step has its own part of the preview", () =>
  withFolder(async (folder) => {
    const preview = {
      rows: [
        { what: "step 1: power of work", before: "Halted", after: "Running" },
        { what: "step 2: rules", before: ["a"], after: ["a", "step 1: b"] },
      ],
      unknown: ["step 2: state: it does not say"],
    };
    await Deno.writeTextFile(`${folder}/agent-1.json`, JSON.stringify({ ...VIEW, preview }));
    const [request] = await readParked(folder);
    assertEquals(request?.canBeUndone, true);
    assertEquals(
      request?.steps?.map(({ lines, notes }) => [lines.map(({ text }) => text), notes]),
      [
        [["power of work: Halted", "power of work: Running"], []],
        [["a", "step 1: b"], ["Not known: state: it does not say"]],
      ],
    );
  }));
