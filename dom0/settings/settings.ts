// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What the operator has set: configuration, keys, policy, lockdown. Read anew as a whole when
 * any of it changes. What cannot be read makes things stricter, never looser.
 *
 * @module
 */

import { errorText } from "../../shared/cli/program.ts";
import { exists, ifPresent, readSmallText } from "../../shared/io/files.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { type Config, parseConfig } from "./config.ts";
import type { KeyStore, StoredKey } from "./key_store.ts";
import type { Paths } from "./paths.ts";
import { parsePolicy } from "../policy/parse_policy.ts";
import { readPolicyFolder } from "../policy/policy_folder.ts";
import { hasRule, type Rule } from "../policy/rule.ts";
import { inTurn } from "./settings_lock.ts";

export const MAX_CONFIG_BYTES = 256 * 1024;

export interface Settings {
  readonly config: Config;
  /** The VMs that are listed and have a key. */
  readonly keys: ReadonlyMap<VmName, StoredKey>;
  /** Those of the last time all files were good; null: that was never, and nothing is allowed. */
  readonly rules: readonly Rule[] | null;
  readonly lockdown: boolean;
  /** For people, one line each. */
  readonly problems: readonly string[];
}

export interface SettingsOptions {
  readonly paths: Paths;
  readonly keyStore: KeyStore;
  /** Variables that win over the file. */
  readonly environment: ReadonlyMap<string, string>;
  /** From --vm; wins over both. */
  readonly onlyVms: readonly VmName[];
}

/** What stays in force while a file is bad. */
export type LastGood = Pick<Settings, "config" | "rules">;

/**
 * @param lastGood null at the start
 * @returns config null: the file is bad, and there is no last good one
 */
export async function readSettings(
  options: SettingsOptions,
  lastGood: LastGood | null,
): Promise<ReadSettings> {
  return await inTurn(options.paths.keyFolder, () => readNow(options, lastGood));
}

type ReadSettings = Omit<Settings, "config"> & { readonly config: Config | null };

async function readNow(
  { paths, keyStore, environment, onlyVms }: SettingsOptions,
  lastGood: LastGood | null,
): Promise<ReadSettings> {
  const problems: string[] = [];
  let config = lastGood?.config ?? null;
  try {
    const text = await ifPresent(readSmallText(paths.config, MAX_CONFIG_BYTES)) ?? "";
    const parsed = parseConfig(text, environment);
    for (const { line, text } of parsed.problems) {
      problems.push(line === 0 ? `environment: ${text}` : `${paths.config}:${line}: ${text}`);
    }
    if (parsed.problems.length === 0) config = parsed.config;
  } catch (error) {
    problems.push(`${paths.config}: ${errorText(error)}`);
  }
  if (config !== null && onlyVms.length > 0) config = { ...config, vms: onlyVms };

  const keys = new Map<VmName, StoredKey>();
  for (const vm of config?.vms ?? []) {
    try {
      const key = await keyStore.read(vm);
      if (key === undefined) {
        problems.push(`${vm}: not authorised: it has no key, and is not served`);
      } else keys.set(vm, key);
    } catch (error) {
      problems.push(`${vm}: its key is not used: ${errorText(error)}`);
    }
  }
  for (const vm of config === null ? [] : await keyStore.list()) {
    if (onlyVms.length > 0 || config?.vms.includes(vm)) continue;
    problems.push(`${vm}: it has a key, but is not in QVM_REMOTE_VMS, and is not served`);
  }
  let rules = lastGood?.rules ?? null;
  try {
    rules = parsePolicy(await readPolicyFolder(paths.policyFolder, Deno.uid()));
  } catch (error) {
    const now = rules === null ? "nothing is allowed" : "the last good one stays in force";
    problems.push(`policy: ${now}: ${errorText(error)}`);
  }
  for (const vm of rules === null ? [] : keys.keys()) {
    if (hasRule(rules ?? [], vm)) continue;
    problems.push(`${vm}: it has a key, but no rule of the policy is for it: all is refused`);
  }
  return { config, keys, rules, problems, lockdown: await exists(paths.lockdownFile) };
}
