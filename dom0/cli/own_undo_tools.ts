// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What an undo runs in the operator's own terminal: with the configured limits, but for those that take
 * a cgroup, which is the daemon's to divide.
 *
 * @module
 */

import { sessionGroups } from "../run/session_groups.ts";
import { createWardens } from "../run/wardens.ts";
import { DEFAULT_CONFIG } from "../settings/config.ts";
import { createKeyStore } from "../settings/key_store.ts";
import { readSettings } from "../settings/settings.ts";
import { createUndoTools } from "../undo/undo_tools.ts";
import type { UndoTools } from "../undo/run_undo.ts";
import type { Operator } from "./operator.ts";

export type WithUndoTools = <Result>(
  operator: Operator,
  use: (tools: UndoTools) => Promise<Result>,
) => Promise<Result>;

export const withOwnUndoTools: WithUndoTools = async ({ paths, environment }, use) => {
  const keyStore = createKeyStore(paths.keyFolder);
  const { config } = await readSettings({ paths, keyStore, environment, onlyVms: [] }, null);
  const groups = sessionGroups();
  const wardens = createWardens(groups);
  try {
    const markPrefix = `undo-${Deno.pid}-`;
    const { workFolder } = paths;
    return await use(
      createUndoTools({
        groups,
        wardens,
        workFolder,
        markPrefix,
        config: () => config ?? DEFAULT_CONFIG,
      }),
    );
  } finally {
    wardens.close();
    groups.close();
  }
};
