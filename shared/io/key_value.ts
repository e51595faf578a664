// SPDX-License-Identifier: GPL-2.0-or-later
/** Files of KEY="value" lines, as a shell would read them but without running anything. @module */

import { printable } from "../protocol/printable.ts";

/** What is wrong with a line, for people; line 0 stands for values from elsewhere. */
export interface LineProblem {
  readonly line: number;
  readonly text: string;
}

export interface KeyValue {
  readonly line: number;
  readonly key: string;
  /** Without its quotes. */
  readonly value: string;
}

const LINE = /^([A-Z][A-Z0-9_]*)=("[^"]*"|'[^']*'|[^"'#]*)(?:\s+#.*)?$/;

/** Every line except comments and empty ones; one that cannot be read is a problem. */
export function readKeyValues(
  text: string,
): { readonly entries: readonly KeyValue[]; readonly problems: readonly LineProblem[] } {
  const entries: KeyValue[] = [];
  const problems: LineProblem[] = [];
  const seen = new Set<string>();
  for (const [index, untrimmed] of text.split("\n").entries()) {
    const trimmed = untrimmed.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const line = index + 1;
    const [, key = "", value = ""] = LINE.exec(trimmed) ?? [];
    if (key === "") problems.push({ line, text: `not KEY="value": ${printable(trimmed)}` });
    else if (seen.has(key)) problems.push({ line, text: `${key} is set twice` });
    else entries.push({ line, key, value: unquote(value) });
    seen.add(key);
  }
  return { entries, problems };
}

function unquote(value: string): string {
  return value.replace(/^(["'])(.*)\1$/, "$2").trim();
}
