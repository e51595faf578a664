// SPDX-License-Identifier: GPL-2.0-or-later
/** The configuration from its file: proxy.json, else the original's cursor-proxy.json. @module */

import { ifPresent, readSmallText } from "../../../shared/io/files.ts";
import { UserError } from "../../../shared/cli/program.ts";
import type { Config } from "./config.ts";
import { socketFolder } from "../http/vm_sockets.ts";
import { fromOriginal } from "./original_config.ts";
import { parseConfig } from "./parse_config.ts";
import { parseJson, problemsError } from "../../settings/json_file.ts";
import type { Problem } from "../../settings/shape.ts";

/** Far above what a person writes. */
const MAX_CONFIG_BYTES = 1024 * 1024;

export interface Places {
  readonly home: string;
  /** ~/.openclaw */
  readonly folder: string;
  readonly config: string;
  readonly original: string;
  /** Secrets, NAME=value, mode 0600. */
  readonly environment: string;
  readonly ledger: string;
  /** Of the VMs that ask through qrexec. */
  readonly sockets: string;
}

export function placesOf(home: string): Places {
  const folder = `${home}/.openclaw`;
  return {
    home,
    folder,
    config: `${folder}/proxy.json`,
    original: `${folder}/cursor-proxy.json`,
    environment: `${folder}/proxy.env`,
    ledger: `${folder}/proxy-use.sqlite`,
    sockets: socketFolder(home),
  };
}

/** @throws {UserError} that names each path that is wrong, and its fix */
export async function loadConfig(
  places: Places,
  environment: (name: string) => string | undefined,
): Promise<{ readonly config: Config; readonly path: string }> {
  const own = await ifPresent(readSmallText(places.config, MAX_CONFIG_BYTES));
  if (own !== undefined) {
    return {
      config: accept(places.config, parseConfig(parseJson(places.config, own))),
      path: places.config,
    };
  }
  const original = await ifPresent(readSmallText(places.original, MAX_CONFIG_BYTES));
  const cursor = environment("OPENCLAW_CURSOR_PORT") ?? environment("OPENCLAW_CURSOR_TOOL_MODE") ??
    environment("OPENCLAW_CURSOR_DEFAULT_MODEL");
  if (original === undefined && cursor === undefined) {
    throw new UserError(`there is no ${places.config}`, [
      'write one, for example: {"providers": {"ollama": {"kind": "ollama", "models": ["llama3.2"]}}}',
      '"openclaw-proxy --help" shows one with more in it',
    ]);
  }
  const path = original === undefined ? "OPENCLAW_CURSOR_*" : places.original;
  const made = fromOriginal(parseJson(path, original ?? "{}"), environment, places.home);
  if (!("proxyJson" in made)) throw refused(path, made);
  return { config: accept(path, parseConfig(made.proxyJson)), path };
}

function accept(path: string, parsed: Config | readonly Problem[]): Config {
  if ("providers" in parsed) return parsed;
  throw refused(path, parsed);
}

function refused(path: string, problems: readonly Problem[]): UserError {
  return problemsError(path, problems, 'check it again with "openclaw-proxy check-config"');
}
