// SPDX-License-Identifier: GPL-2.0-or-later
/** State kept between requests, in memory only and bounded. @module */

import { createKeptResponses, type KeptResponses } from "./kept_responses.ts";
import { createOrigins, type Origins } from "./origins.ts";

export interface Memory {
  readonly origins: Origins;
  readonly kept: KeptResponses;
}

export const createMemory = (): Memory => ({
  origins: createOrigins(),
  kept: createKeptResponses(),
});
