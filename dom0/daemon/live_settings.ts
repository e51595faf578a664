// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The settings in force: read at the start, and again whenever one of their files changes. A bad
 * file leaves the last good one in force, and what is wrong with it is put on record once.
 *
 * @module
 */

import { dirname } from "@std/path/posix/dirname";
import { ConfigError, errorText } from "../../shared/cli/program.ts";
import { serialised } from "../../shared/io/timing.ts";
import type { Audit } from "../record/audit_log.ts";
import { type Changes, watchSettled } from "../settings/settled_changes.ts";
import type { Paths } from "../settings/paths.ts";
import { readSettings, type Settings, type SettingsOptions } from "../settings/settings.ts";

/** A watched folder may be replaced, and its watch lost: this finds changes all the same. */
const REREAD_INTERVAL_MS = 60_000;

export interface LiveSettings {
  current(): Settings;
  /** Reads them again, and calls `onRead`. */
  reload(): Promise<void>;
  /** Reloads when a file changes, on SIGHUP, and once a minute. @returns ends that */
  watch(): () => void;
  /** Takes up no further changes. */
  close(): void;
}

export interface LiveSettingsOptions {
  readonly first: Settings;
  readonly sources: SettingsOptions;
  readonly audit: Audit;
  readonly onRead: () => void;
}

/** @throws {UserError} the configuration is bad, and there is no last good one */
export async function readFirstSettings(sources: SettingsOptions): Promise<Settings> {
  const { config, ...rest } = await readSettings(sources, null);
  if (config === null) {
    throw new ConfigError(rest.problems.join("; "), [
      'correct it, then run "qvm-remote-dom0 check-config"',
    ]);
  }
  return { ...rest, config };
}

export function createLiveSettings(
  { first, sources, audit, onRead }: LiveSettingsOptions,
): LiveSettings {
  let settings = first;
  let isClosed = false;
  const reread = async (): Promise<void> => {
    if (isClosed) return;
    const before = settings;
    const read = await readSettings(sources, before);
    settings = { ...read, config: read.config ?? before.config };
    const { problems, lockdown } = settings;
    recordProblems(problems.filter((text) => !before.problems.includes(text)), audit);
    if (lockdown !== before.lockdown) audit.record(lockdown ? "lockdown" : "unlock", {});
    onRead();
  };
  const reload = serialised(reread, (error) => console.error(`reload: ${errorText(error)}`));
  return {
    current: () => settings,
    reload,
    watch: () => watchSettings(sources.paths, reload),
    close: () => void (isClosed = true),
  };
}

export function recordProblems(problems: readonly string[], audit: Audit): void {
  for (const problem of problems) audit.record("problem", { problem });
}

function watchSettings(paths: Paths, reload: () => Promise<void>): () => void {
  const etcFolder = dirname(paths.config);
  const ours = [paths.config, paths.lockdownFile].map((path) => path.slice(etcFolder.length + 1));
  const ofOurs = ({ names, incomplete }: Changes): void => {
    if (incomplete || ours.some((name) => names.has(name))) void reload();
  };
  const closers = [
    watchSettled(etcFolder, ofOurs),
    watchSettled(paths.keyFolder, () => void reload()),
    watchSettled(paths.policyFolder, () => void reload()),
  ];
  const onHup = (): void => void reload();
  Deno.addSignalListener("SIGHUP", onHup);
  const timer = setInterval(reload, REREAD_INTERVAL_MS);
  return () => {
    for (const close of closers) close();
    Deno.removeSignalListener("SIGHUP", onHup);
    clearInterval(timer);
  };
}
