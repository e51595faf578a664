// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How far each plan has come, as files for the operator's programs, in /run/qvm-remote/plans:
 *
 *     <vm>-<id>.json   a plan that runs or has run, see plan_view.ts
 *
 * The newest of each VM are kept until dom0 reboots.
 *
 * @module
 */

import { PRIVATE_FOLDER } from "../../shared/io/private_modes.ts";
import { errorText } from "../../shared/cli/program.ts";
import { removeIfPresent, replaceFile } from "../../shared/io/sync_files.ts";
import type { Plan } from "./plan.ts";
import {
  newPlanView,
  type PlanOwner,
  type PlanView,
  withBegun,
  withEnd,
  withInterruption,
  withSeen,
  withStepEnd,
} from "./plan_view.ts";
import type { PlanProgress } from "./run_plan.ts";

export interface PlanBoard {
  /** It is shown from its first step on. */
  follow(plan: Plan, owner: PlanOwner): PlanProgress;
}

export interface PlanBoardOptions {
  readonly folder: string;
  readonly dateMs: () => number;
  /** Of each VM. */
  readonly mostPlans?: number;
}

const MOST_PLANS = 20;
const NAME = /^(.+)-([0-9]{8}-[0-9]{6}-[0-9]{1,10}-[0-9a-f]{8})\.json$/;

/** Of a dry run, which runs none. */
export const NO_PLANS: PlanBoard = {
  follow() {
    throw new Error("bug: a dry run runs a plan");
  },
};

/** A plan of an earlier daemon no longer runs. */
export function createPlanBoard(
  { folder, dateMs, mostPlans = MOST_PLANS }: PlanBoardOptions,
): PlanBoard {
  Deno.mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
  const put = (view: PlanView): void => {
    const path = `${folder}/${view.vm}-${view.id}.json`;
    try {
      replaceFile(path, `${JSON.stringify(view)}\n`);
    } catch (error) { // it is for people to look at: the plan goes on
      console.error(`plans: ${errorText(error)}`);
    }
  };
  for (const view of readViews(folder)) put(withInterruption(view));
  return {
    follow(plan, owner) {
      let view: PlanView | null = null;
      const change = (next: (view: PlanView) => PlanView): void => {
        if (view === null) forgetOldest(folder, owner.vm, mostPlans - 1);
        view = next(view ?? newPlanView(plan, owner, dateMs()));
        put(view);
      };
      return {
        begun: (number) => change((now) => withBegun(now, number)),
        seen: (number, before) => change((now) => withSeen(now, number, before)),
        stepEnded: (line, after) => change((now) => withStepEnd(now, line, after, dateMs())),
        ended: (line) => change((now) => withEnd(now, line, dateMs())),
      };
    },
  };
}

function readViews(folder: string): readonly PlanView[] {
  const files = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
    NAME.test(name)
  );
  return files.flatMap((name) => {
    try {
      return [JSON.parse(Deno.readTextFileSync(`${folder}/${name}`))]; // this daemon's own file
    } catch {
      removeIfPresent(`${folder}/${name}`); // cut off by a machine that stopped
      return [];
    }
  });
}

function forgetOldest(folder: string, vm: string, most: number): void {
  const ofVm = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => NAME.exec(name)?.[1] === vm).toSorted();
  for (const name of ofVm.slice(0, Math.max(0, ofVm.length - most))) {
    removeIfPresent(`${folder}/${name}`);
  }
}
