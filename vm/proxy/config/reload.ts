// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The configuration as it is now. Its files are looked at once a second: a watch would need leave
 * to read the whole folder, in which OpenClaw keeps its own keys. A request keeps what it began
 * with, so nothing under way is disturbed; a file that is wrong changes nothing.
 *
 * @module
 */

import { errorText, formatUserError, UserError } from "../../../shared/cli/program.ts";
import { serialised } from "../../../shared/io/timing.ts";
import type { Config } from "./config.ts";
import type { Log } from "../books/log.ts";

export interface LiveConfig {
  current(): Config;
  /** Looks now. */
  reload(): Promise<void>;
  close(): void;
}

export interface ReloadParts {
  load(): Promise<Config>;
  readonly files: readonly string[];
  readonly log: Log;
  /** @param ok whether the new one is in force */
  onReload(ok: boolean): void;
  readonly everyMs: number;
}

export async function keepConfig(first: Config, parts: ReloadParts): Promise<LiveConfig> {
  let config = first;
  let seen = await stamps(parts.files);
  // It may have changed since `first` was read, and nothing would tell. If it is wrong now, the
  // first look says so.
  await parts.load().then((now) => config = now, () => seen = "");
  const reload = serialised(async () => {
    try {
      config = await parts.load();
      parts.onReload(true);
      parts.log("info", "configuration read");
    } catch (error) {
      parts.onReload(false);
      const text = error instanceof UserError
        ? formatUserError("configuration", error).trim()
        : errorText(error);
      parts.log("error", "the new configuration is refused, the old one stays", { text });
    }
  }, () => {});
  const look = serialised(async () => {
    const now = await stamps(parts.files);
    if (now === seen) return;
    seen = now;
    await reload();
  }, () => {});
  const timer = setInterval(() => void look(), parts.everyMs);
  return {
    current: () => config,
    reload,
    close: () => clearInterval(timer),
  };
}

async function stamps(files: readonly string[]): Promise<string> {
  const all = await Promise.all(files.map(async (path) => {
    const info = await Deno.stat(path).catch(() => null);
    return info === null ? "none" : `${info.ino} ${info.size} ${info.mtime?.getTime()}`;
  }));
  return all.join("\n");
}
