// SPDX-License-Identifier: GPL-2.0-or-later
/** Why cursor-agent failed, by what it says; its own words are not shown on. @module */

import { type Fault, fault, type FaultKind } from "../translate/fault.ts";

const KINDS: readonly (readonly [RegExp, FaultKind, string])[] = [
  [
    /not logged in|log ?in|unauthori[sz]ed|authenticat|api key|\b401\b/i,
    "authentication",
    'is not logged in: run "agent login" in this VM, or set apiKey',
  ],
  [/quota|usage limit|billing|payment|upgrade|\b402\b/i, "billing", "has no quota left"],
  [/rate.?limit|too many requests|\b429\b/i, "rate_limit", "is asked too often"],
  [/context.{0,20}(length|window|limit)|too long/i, "context_length", "finds the prompt too long"],
  [
    /(model).{0,60}(not|unknown|invalid|unavailable)|(unknown|invalid) model/i,
    "not_found",
    "does not know this model",
  ],
  [
    /network|econn|enotfound|etimedout|dns|socket|connect|\b50[234]\b/i,
    "overloaded",
    "cannot reach its server",
  ],
];

export function cursorFault(untrustedText: string): Fault {
  for (const [words, kind, what] of KINDS) {
    if (words.test(untrustedText)) return fault(kind, `cursor-agent ${what}`);
  }
  return fault("server", "cursor-agent failed");
}
