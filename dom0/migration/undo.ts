// SPDX-License-Identifier: GPL-2.0-or-later
/** The way back: what each place of the record holds now, and what becomes of it. @module */

import { exists, ifPresent, readSmallText } from "../../shared/io/files.ts";
import { CHANGED_SINCE } from "../../shared/setup/engine.ts";
import type { Command, Tools } from "../../shared/setup/tools.ts";
import { grantFileName, grantText } from "../policy/grant_file.ts";
import type { Paths } from "../settings/paths.ts";
import type { Entry, Fact, Undo } from "./fact.ts";
import { originalPlaces, savedPath } from "./original.ts";
import { isPython, unitState } from "./survey.ts";

/** What a place of the record holds now. */
export type Looked =
  | {
    readonly kind: "unit";
    readonly unit: string;
    /** What the unit would start, if that is not the original's any more. */
    readonly foreignProgram: string | null;
  }
  | {
    readonly kind: "file";
    readonly path: string;
    /** Whether one of its own name is there. */
    readonly isThere: boolean;
    readonly isSaved: boolean;
    /** The unit that it is of; null: none. */
    readonly unit: string | null;
    /** Whether this project's unit of that name runs, or would start. */
    readonly isOn: boolean;
  }
  /** In octal digits; null: the file is gone. */
  | { readonly kind: "mode"; readonly mode: string | null }
  /** Whether the rules are those that were written, and no others. */
  | { readonly kind: "grant"; readonly rules: "written" | "none" | "other" };

const MAX_GRANT_BYTES = 64 * 1024;

export async function lookAt(
  { fact }: Entry,
  paths: Paths,
  tools: Tools,
): Promise<Looked> {
  switch (fact.kind) {
    case "grant": {
      const file = `${paths.policyFolder}/${grantFileName(fact.vm)}`;
      const text = await ifPresent(readSmallText(file, MAX_GRANT_BYTES));
      const isWritten = text === grantText(fact.vm, "ask", null);
      return {
        kind: "grant",
        rules: text === undefined ? "none" : isWritten ? "written" : "other",
      };
    }
    case "mode": {
      const info = await ifPresent(Deno.lstat(fact.path));
      const mode = info === undefined ? null : ((info.mode ?? 0) & 0o777).toString(8);
      return { kind: "mode", mode };
    }
    case "aside": {
      const { path } = fact;
      const [, unit = null] = /\/systemd\/system\/([^/]+)$/.exec(path) ?? [];
      const state = unit === null ? null : await unitState(unit, tools);
      return {
        kind: "file",
        path,
        unit,
        isThere: await exists(path),
        isSaved: await exists(savedPath(path)),
        isOn: state !== null && (state.isActive || state.isEnabled),
      };
    }
    case "active":
    case "enabled": {
      const { unit } = fact;
      const { units } = originalPlaces(paths.installation.root);
      const program = units.find((known) => known.unit === unit)?.program ?? "";
      return { kind: "unit", unit, foreignProgram: await isPython(program) ? null : program };
    }
  }
}

/** The last change first. What is left alone stays in the record. Pure. */
export function planBack(
  places: readonly { readonly entry: Entry; readonly now: Looked }[],
): readonly Undo[] {
  const leftUnits = new Set<string>();
  return places.toReversed().map(({ entry, now }) => {
    const action = actionFor(entry, now, leftUnits);
    if (action.kind === "left" && now.kind === "file" && now.unit !== null) {
      leftUnits.add(now.unit);
    }
    return { entry, action };
  });
}

function actionFor(
  { fact, from, to }: Entry,
  now: Looked,
  leftUnits: ReadonlySet<string>,
): Undo["action"] {
  const back = (commands: readonly Command[]): Undo["action"] => ({
    kind: "step",
    step: { fact, from: to, to: from, why: "as before", commands },
  });
  switch (now.kind) {
    case "grant":
      if (now.rules === "none") return { kind: "gone", why: "they are gone" };
      return now.rules === "written" ? back([]) : { kind: "left", why: CHANGED_SINCE };
    case "mode":
      if (now.mode === null) return { kind: "gone", why: "the file is gone" };
      if (now.mode !== from && now.mode !== to) return { kind: "left", why: CHANGED_SINCE };
      return back([]);
    case "file":
      if (now.isSaved && now.isThere) {
        return { kind: "left", why: "another file of that name is there: move it away" };
      }
      if (!now.isSaved && !now.isThere) return { kind: "left", why: "it is gone" };
      return back(fileCommands(now));
    case "unit":
      if (leftUnits.has(now.unit)) return { kind: "left", why: "its file is not back" };
      if (now.foreignProgram !== null) {
        return {
          kind: "left",
          why: `it would start ${now.foreignProgram}, which is not the original's any more`,
        };
      }
      return back(unitCommands(fact));
  }
}

function fileCommands(
  { path, unit, isOn, isSaved }: Looked & { readonly kind: "file" },
): readonly Command[] {
  const commands: Command[] = [];
  if (unit !== null && isSaved && isOn) {
    commands.push({ argv: ["systemctl", "disable", "--now", unit] });
  }
  if (isSaved) commands.push({ argv: ["mv", "--no-clobber", "--", savedPath(path), path] });
  if (unit !== null) commands.push({ argv: ["systemctl", "daemon-reload"] });
  return commands;
}

function unitCommands(fact: Fact): readonly Command[] {
  if (fact.kind !== "active" && fact.kind !== "enabled") return [];
  return [{ argv: ["systemctl", fact.kind === "active" ? "start" : "enable", fact.unit] }];
}
