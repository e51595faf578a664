// SPDX-License-Identifier: GPL-2.0-or-later
/** A step of the demo, and how it looks whether a program did what it should. @module */

import type { Daemon, Finished, Installed } from "./installed.ts";

export interface Step {
  /** What a person would type, where; shown before it is done. */
  readonly shown: string;
  readonly why: string;
  /** @returns what is to be seen; throws if it is not as it should be */
  readonly run: () => Promise<string>;
}

export interface Scene {
  readonly qubes: Installed;
  daemon: Daemon | null;
}

export async function good(run: Promise<Finished>): Promise<Finished> {
  const finished = await run;
  expectCode(finished, 0);
  return finished;
}

/** @returns everything it printed, and its exit code */
export function expectCode(ended: Finished, code: number): string {
  const text = `${ended.stdout}${ended.stderr}`;
  if (ended.code !== code) throw new Error(`exit ${ended.code}, not ${code}: ${text}`);
  return `${text}exit code ${code}\n`;
}

export function expectOutput(ended: Finished, wanted: RegExp): Finished {
  expectText(ended.stdout, wanted);
  return ended;
}

export function expectOut(ended: Finished, wanted: RegExp): string {
  return expectText(ended.stdout, wanted);
}

export function expectText(text: string, wanted: RegExp): string {
  if (!wanted.test(text)) throw new Error(`${wanted} is not in: ${text}`);
  return text;
}
