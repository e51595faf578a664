// SPDX-License-Identifier: GPL-2.0-or-later
/** Whether the keys of a configuration can be had now: each reference tried, none shown. @module */

import { ifPresent } from "../../../shared/io/files.ts";
import { UserError } from "../../../shared/cli/program.ts";
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
  const each = new Map(refs.map((ref) => [JSON.stringify(ref), ref]));
  const found = new Map(
    await Promise.all(
      [...each].map(async ([name, ref]) => [name, await tried(ref, secrets)] as const),
    ),
  );
  return (ref) => found.get(JSON.stringify(ref)) ?? "";
}

async function tried(ref: SecretRef, secrets: Secrets): Promise<string> {
  try {
    await secrets.get(ref);
    return `${sourceOf(ref)} is there`;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return `MISSING: ${[error.message, ...error.hints].join("; ")}`;
  }
}

function sourceOf(ref: SecretRef): string {
  switch (ref.from) {
    case "env":
      return ref.name;
    case "command":
      return `what ${ref.argv[0]} prints`;
    case "qrexec":
      return `${ref.service} of ${ref.target}`;
    default:
      return ref satisfies never;
  }
}

/** One line about the file of keys: its mode, or what is wrong with it. */
export async function environmentLine(path: string): Promise<string> {
  const info = await ifPresent(Deno.stat(path));
  if (info === undefined) return `${path}: not there`;
  if (!info.isFile) return `${path}: not a regular file; move it away, and write your keys anew`;
  const mode = ((info.mode ?? 0) & 0o777).toString(8).padStart(4, "0");
  const isPrivate = ((info.mode ?? 0) & 0o077) === 0;
  return `${path}: mode ${mode}` +
    (isPrivate ? "" : `, which lets others read it: chmod 600 ${path}, and get new keys`);
}
