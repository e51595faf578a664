// SPDX-License-Identifier: GPL-2.0-or-later
/** The configuration from its file: proxy.json, else the original's cursor-proxy.json. @module */

import { ifPresent, readSmallText } from "../../shared/io/files.ts";
import { errorText, UserError } from "../../shared/io/program.ts";
import type { Config } from "./config.ts";
import { fromOriginal } from "./original_config.ts";
import { parseConfig } from "./parse_config.ts";
import type { Problem } from "./shape.ts";

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
}

export function placesOf(home: string): Places {
  const folder = `${home}/.openclaw`;
  return {
    ...{ home, folder, config: `${folder}/proxy.json`, original: `${folder}/cursor-proxy.json` },
    ...{ environment: `${folder}/proxy.env`, ledger: `${folder}/proxy-use.sqlite` },
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
      config: accept(places.config, parseConfig(json(places.config, own))),
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
  const made = fromOriginal(json(path, original ?? "{}"), environment, places.home);
  if (!("proxyJson" in made)) throw refused(path, made);
  return { config: accept(path, parseConfig(made.proxyJson)), path };
}

function json(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8 quotes the text around the mistake, which may be a key in the wrong place.
    const at = /position (\d+)/.exec(errorText(error))?.[1];
    const line = at === undefined ? "" : ` at line ${text.slice(0, Number(at)).split("\n").length}`;
    throw new UserError(`${path} is no JSON${line}`, [
      "look for a missing or extra comma or quote there; comments are keys that begin with //",
    ]);
  }
}

function accept(path: string, parsed: Config | readonly Problem[]): Config {
  if ("providers" in parsed) return parsed;
  throw refused(path, parsed);
}

function refused(path: string, problems: readonly Problem[]): UserError {
  const [first, ...rest] = problems.map((one) =>
    `${one.path === "" ? "the file" : one.path}: ${one.text}; ${one.fix}`
  );
  const more = rest.slice(0, 20).map((line) => `also: ${line}`);
  return new UserError(`${path}: ${first}`, [
    ...more,
    'check it again with "openclaw-proxy check-config"',
  ]);
}
