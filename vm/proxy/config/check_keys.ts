// SPDX-License-Identifier: GPL-2.0-or-later
/** Whether the keys of a configuration can be had now: each reference tried, none shown. @module */

import { ifPresent } from "../../../shared/io/files.ts";
import { UserError } from "../../../shared/io/program.ts";
import type { Config, SecretRef } from "./config.ts";
import type { Secrets } from "./secrets.ts";

/** @returns for each reference whether its key can be had, in words */
export async function checkKeys(
  config: Config,
  secrets: Secrets,
): Promise<(ref: SecretRef) => string> {
  const refs = [
    ...[...config.providers.values()].flatMap(({ apiKey }) => apiKey === null ? [] : [apiKey]),
    ...config.clients.flatMap(({ key }) => key === null ? [] : [key]),
  ];
  const found = new Map<string, string>();
  for (const ref of refs) {
    const name = JSON.stringify(ref);
    if (found.has(name)) continue;
    if (ref.from !== "env") {
      // A program may ask somebody, and only the running proxy may start it.
      found.set(name, "asked for when it is needed");
      continue;
    }
    try {
      await secrets.get(ref);
      found.set(name, `${ref.name} is there`);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      found.set(name, `MISSING: ${[error.message, ...error.hints].join("; ")}`);
    }
  }
  return (ref) => found.get(JSON.stringify(ref)) ?? "";
}

/** One line about the file of keys: its mode, or what is wrong with it. */
export async function environmentLine(path: string): Promise<string> {
  const info = await ifPresent(Deno.stat(path));
  if (info === undefined) return `${path}: not there`;
  const mode = ((info.mode ?? 0) & 0o777).toString(8).padStart(4, "0");
  const isPrivate = ((info.mode ?? 0) & 0o077) === 0;
  return `${path}: mode ${mode}` +
    (isPrivate ? "" : `, which lets others read it: chmod 600 ${path}, and get new keys`);
}
