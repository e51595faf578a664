// SPDX-License-Identifier: GPL-2.0-or-later
/** What a setup found and would run, in words. @module */

import { shellQuote } from "../protocol/command.ts";
import type { Command } from "./tools.ts";

export interface Finding {
  readonly what: string;
  readonly why: string;
  readonly isSo: boolean;
  /** The commands that would bring it about. */
  readonly next: readonly string[];
}

/** Each wanted fact, read back. @param stepFor what would bring it about; undefined: it is so */
export async function findingsFor<W extends { readonly why: string }>(
  wanted: readonly W[],
  stepFor: (one: W) => Promise<{ readonly commands: readonly Command[] } | undefined>,
  describe: (one: W) => string,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const one of wanted) {
    const step = await stepFor(one);
    findings.push({
      what: describe(one),
      why: one.why,
      isSo: step === undefined,
      next: commandsAlone(step?.commands ?? []),
    });
  }
  return findings;
}

/** Shown without its input, a command would leave an empty file. */
function commandsAlone(commands: readonly Command[]): readonly string[] {
  return commands.some(({ input }) => input !== undefined)
    ? []
    : commands.map(({ argv }) => shellQuote(argv));
}

export function findingsTable(findings: readonly Finding[]): string {
  const rows = findings.map(({ what, isSo, next }) =>
    `  ${isSo ? "ok     " : "MISSING"}  ${what}\n` +
    (isSo ? "" : next.map((command) => `             next: ${command}\n`).join(""))
  );
  const missing = findings.filter(({ isSo }) => !isSo).length;
  const sum = missing === 0
    ? `all ${findings.length} are as wanted`
    : `${missing} of ${findings.length} missing`;
  return `Verification:\n${rows.join("")}${sum}\n`;
}

/** Of a setup or a verification. */
export function exitCode(findings: readonly Finding[]): number {
  return findings.every(({ isSo }) => isSo) ? 0 : 1;
}

/** A command as a shell would read it. */
export function commandText({ argv, input }: Command): string {
  const line = shellQuote(argv);
  if (input === undefined) return `${line}\n`;
  const body = input.endsWith("\n") ? input : `${input}\n`;
  return `${line} <<'END_OF_INPUT'\n${body}END_OF_INPUT\n`;
}
