// SPDX-License-Identifier: GPL-2.0-or-later
/** What the web admin asks of dom0 about remote.conf. @module */

import type { PolicyChangeNow } from "./policy_channel.ts";

export interface ConfigChannel {
  config(): Promise<ConfigState>;
  /** What would be wrong with such a text. */
  checkConfig(text: string): Promise<readonly ConfigProblem[]>;
  /** @param seen the mark of what the person saw @throws {Dom0Error} nothing is changed */
  changeConfig(text: string, seen: string, by: string): Promise<void>;
  /** @returns the id of the change that took it back @throws {Dom0Error} it is not undone */
  undoConfig(id: string, by: string): Promise<{ readonly id: string }>;
}

export interface ConfigProblem {
  /** The first is 1. */
  readonly line: number;
  readonly text: string;
}

export interface ConfigState {
  readonly path: string;
  readonly text: string;
  /** Says with a change which text the person saw. */
  readonly mark: string;
  readonly problems: readonly ConfigProblem[];
  readonly changes: readonly PolicyChangeNow[];
}
