// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { parsePlan } from "../../../dom0/plans/plan.ts";
import { createPlanBoard } from "../../../dom0/plans/plan_board.ts";
import type { PlanView } from "../../../dom0/plans/plan_view.ts";
import { requestId, stoppedClock, withFolder } from "../fixture.ts";

const PLAN = parsePlan('{"steps":[{"operation":"vm.start","vm":"work"}]}');

function viewsIn(folder: string): readonly PlanView[] {
  return [...Deno.readDirSync(folder)]
    .map(({ name }): PlanView => JSON.parse(Deno.readTextFileSync(`${folder}/${name}`)))
    .toSorted((a, b) => a.id < b.id ? -1 : 1);
}

Deno.test("a plan that runs when its daemon ends is shown as interrupted by the next one", () =>
  withFolder(async (root) => {
    await Promise.resolve();
    const options = { folder: `${root}/plans`, dateMs: stoppedClock().dateMs };
    const board = createPlanBoard(options);
    const done = board.follow(PLAN, { vm: "work", id: requestId(1), by: "work" });
    done.begun(1);
    done.stepEnded({ step: 1, operation: "vm.start", outcome: "done", exit: 0 }, null);
    done.ended({ plan: "done", steps: 1, done: 1 });
    board.follow(PLAN, { vm: "work", id: requestId(2), by: "work" }).begun(1);
    Deno.writeTextFileSync(`${root}/plans/work-${requestId(3)}.json`, '{"vm":');
    createPlanBoard(options);
    assertEquals(viewsIn(options.folder).map(({ state, steps }) => [state, steps[0]?.state]), [
      ["done", "done"],
      ["interrupted", "stopped"],
    ]);
  }));

Deno.test("of each VM the newest plans are kept, and nothing is shown of one that has not begun", () =>
  withFolder(async (root) => {
    await Promise.resolve();
    const folder = `${root}/plans`;
    const board = createPlanBoard({ folder, dateMs: stoppedClock().dateMs, mostPlans: 2 });
    for (const n of [1, 2, 3]) {
      board.follow(PLAN, { vm: "work", id: requestId(n), by: "work" }).begun(1);
    }
    board.follow(PLAN, { vm: "work-2", id: requestId(4), by: "work-2" }).begun(1);
    board.follow(PLAN, { vm: "work", id: requestId(5), by: "work" });
    assertEquals(viewsIn(folder).map(({ id }) => id), [2, 3, 4].map((n) => requestId(n)));
  }));
