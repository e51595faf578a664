// SPDX-License-Identifier: GPL-2.0-or-later
/** What the daemon does for the web admin with remote.conf. @module */

import type { JsonValue } from "../operations/operation.ts";
import {
  changeConfig,
  configChanges,
  configProblems,
  readConfigText,
  undoConfigChange,
} from "../operator/config_file.ts";
import { markOf } from "../operator/policy_files.ts";
import type { Paths } from "../settings/paths.ts";
import type { OrderFields } from "./order_fields.ts";

type AnswerTo = (order: OrderFields, by: string) => Promise<JsonValue>;

export function configAnswers(paths: Paths): ReadonlyMap<string, AnswerTo> {
  return new Map<string, AnswerTo>([
    ["config", () => describeConfig(paths)],
    ["check-config", (order) => Promise.resolve(problemsOf(order.text("text")))],
    ["change-config", async (order, invokedBy) => {
      await changeConfig({ paths, invokedBy }, order.text("text"), order.text("seen"));
      return {};
    }],
    [
      "undo-config",
      async (order, invokedBy) => ({
        id: await undoConfigChange({ paths, invokedBy }, order.text("id")),
      }),
    ],
  ]);
}

/** { path, text, mark, problems, changes }, the changes newest first. */
async function describeConfig(paths: Paths): Promise<JsonValue> {
  const text = await readConfigText(paths);
  const changes = await configChanges(paths).list();
  return {
    path: paths.config,
    text,
    mark: markOf(text),
    problems: problemsOf(text),
    changes: changes.map(({ atMs, ...change }) => ({ ...change, timeMs: atMs, now: text })),
  };
}

function problemsOf(text: string): readonly JsonValue[] {
  return configProblems(text).map((problem) => ({ ...problem }));
}
