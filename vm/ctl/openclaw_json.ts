// SPDX-License-Identifier: GPL-2.0-or-later
/** The few fields of openclaw.json that openclaw-ctl needs. The rest is up to OpenClaw. @module */

import { ifPresent, readPrivate } from "../../shared/io/files.ts";
import { UserError } from "../../shared/cli/program.ts";
import { parseJson } from "../settings/json_file.ts";
import { isObject } from "../settings/shape.ts";
import { type CtlPlaces, openclawJsonPath } from "./scene.ts";

export interface Hooks {
  /** A secret: sent in a header, shown nowhere. */
  readonly token: string;
  /** As "/hooks". */
  readonly path: string;
}

const MAX_BYTES = 4 * 1024 * 1024;

/** @throws {UserError} what is missing, or who else may read the file */
export async function readHooks(places: CtlPlaces): Promise<Hooks> {
  const path = openclawJsonPath(places);
  const text = await ifPresent(readPrivate(path, MAX_BYTES));
  const setup = 'run "setup-vm PROVIDER", which writes it';
  if (text === undefined) throw new UserError(`there is no ${path}`, [setup]);
  const value = parseJson(path, text);
  const hooks = isObject(value) ? value["hooks"] : null;
  if (!isObject(hooks) || hooks["enabled"] !== true) {
    throw new UserError(`webhooks are not switched on in ${path}`, [
      'set hooks.enabled and hooks.token; "setup-vm PROVIDER" does both',
    ]);
  }
  const { token, path: at = "/hooks" } = hooks;
  if (typeof token !== "string" || !/^[\x21-\x7e]{1,1000}$/.test(token)) {
    throw new UserError(`${path} has no hooks.token that can be sent`, [setup]);
  }
  if (typeof at !== "string" || !/^\/[\w/-]{1,100}$/.test(at)) {
    throw new UserError(`hooks.path of ${path} is not a path`, ['"/hooks" is the usual one']);
  }
  return { token, path: at };
}
