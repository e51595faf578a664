// SPDX-License-Identifier: GPL-2.0-or-later
/** Carrying the steps of a migration out, and back: each is on record before it begins. @module */

import { durableRename } from "../../shared/io/durable.ts";
import { exists, readPrivate } from "../../shared/io/files.ts";
import { MAX_KEY_FILE_BYTES } from "../../shared/protocol/auth_key.ts";
import { undo } from "../../shared/setup/engine.ts";
import { type Journal, onRecord } from "../../shared/setup/journal.ts";
import { type Command, runOrFail, type Tools } from "../../shared/setup/tools.ts";
import type { Acting } from "../operator/acting.ts";
import { giveRight, takeRules } from "../operator/rights.ts";
import { type Fact, isUnitFile, record, type Step, type Undo } from "./fact.ts";
import { savedPath } from "./original.ts";

/** How a step is done. Doing it again, after an interruption, does no harm. */
export interface Mover {
  carryOut(step: Step): Promise<void>;
  takeBack(step: Step): Promise<void>;
  /** systemd reads its files. */
  reload(): Promise<void>;
}

const RELOAD: Command = { argv: ["systemctl", "daemon-reload"] };

export function createMover(acting: Acting, tools: Tools): Mover {
  const runAll = async (commands: readonly Command[]): Promise<void> => {
    for (const command of commands) await runOrFail(tools, command);
  };
  return {
    reload: () => runOrFail(tools, RELOAD),
    async carryOut({ fact, to, commands }) {
      switch (fact.kind) {
        case "aside":
          return await durableRename(fact.path, savedPath(fact.path));
        case "mode":
          return await Deno.chmod(fact.path, parseInt(to ?? "", 8));
        case "grant": {
          const key = `${acting.paths.keyFolder}/${fact.vm}.key`;
          const text = await readPrivate(key, MAX_KEY_FILE_BYTES);
          const right = { grant: "ask", scope: null, acceptsV1: false } as const;
          return void await giveRight(acting, fact.vm, text, right);
        }
        default:
          return await runAll(commands);
      }
    },
    async takeBack({ fact, to, commands }) {
      if (fact.kind === "mode") return await Deno.chmod(fact.path, parseInt(to ?? "", 8));
      if (fact.kind === "grant") return await takeRules(acting, fact.vm);
      if (fact.kind !== "aside") return await runAll(commands);
      const isSystemd = ({ argv: [program] }: Command): boolean => program === "systemctl";
      const [before, after] = [commands.slice(0, -1), commands.slice(-1)];
      await runAll(before.filter(isSystemd));
      const saved = savedPath(fact.path);
      if (await exists(saved)) await durableRename(saved, fact.path);
      await runAll(after.filter(isSystemd));
    },
  };
}

/** @throws {UserError} at the first step that fails; the same again goes on from there */
export async function applySteps(
  mover: Mover,
  steps: readonly Step[],
  journal: Journal<Fact>,
  say: (step: Step) => void,
): Promise<void> {
  for (const step of steps) {
    say(step);
    await onRecord(record, journal, step, () => mover.carryOut(step));
  }
  // An interruption may have come between a file and this.
  if (journal.entries.some(({ fact }) => isUnitFile(fact))) await mover.reload();
}

/** @throws {UserError} at the first step that fails; the same again goes on from there */
export async function takeBack(
  mover: Mover,
  undos: readonly Undo[],
  journal: Journal<Fact>,
  say: (undo: Undo) => void,
): Promise<void> {
  await undo({ record, takeBack: mover.takeBack }, undos, journal, say);
}
