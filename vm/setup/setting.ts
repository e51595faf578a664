// SPDX-License-Identifier: GPL-2.0-or-later
/** Where setup-vm works: places, tools and a terminal. @module */

import type { Tools } from "../../shared/setup/tools.ts";
import type { QubesDb } from "../ports/vm_kind.ts";
import type { Places } from "./places.ts";

export interface Setting {
  readonly places: Places;
  readonly tools: Tools;
  readonly qubesDb: QubesDb;
  /** True for root in a real VM, who is not the one to set up. */
  readonly isWrongUser: boolean;
  readonly print: (text: string) => void;
  readonly warn: (text: string) => void;
  /** Whether somebody sits there who can be asked. */
  readonly isTerminal: boolean;
  /** One line that the person types; null at the end of input. */
  readonly ask: (question: string) => string | null;
}
