// SPDX-License-Identifier: GPL-2.0-or-later
/** proxy.json, and whether the keys that it names are there. Only their names are shown. @module */

import { ifPresent, readPrivate } from "../../../shared/io/files.ts";
import { readKeyValues } from "../../../shared/io/key_value.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { partsOf } from "../../probe/units.ts";
import type { Config } from "../../proxy/config/config.ts";
import { loadConfig, placesOf } from "../../proxy/config/load_config.ts";
import { shown } from "../text.ts";
import { type DoctorScene, error, type Examine, type Finding, warning } from "./finding.ts";

const MAX_ENV_BYTES = 256 * 1024;
/** Services that answer nobody without a key. */
const NEED_KEY = /^https:\/\/api\.(openai|anthropic)\.com(\/|$)/;

export const examineKeys: Examine = async (scene) => {
  const { proxy } = scene.snapshot;
  const unusable = (proxy?.providers ?? []).filter(({ keyRefused, keyMissing }) =>
    keyRefused || keyMissing
  );
  const refused = unusable.map(({ name, keyMissing }) =>
    warning(
      "key-refused",
      keyMissing
        ? `the proxy has no key for the provider ${shown(name, 40)}`
        : `the provider ${shown(name, 40)} refused the key`,
      partsOf(scene.settings).includes("proxy")
        ? "put the right one into ~/.openclaw/proxy.env; the proxy picks it up by itself"
        : "look at it in the VM with the keys: openclaw-ctl doctor",
    )
  );
  if (!partsOf(scene.settings).includes("proxy")) return refused;
  const places = placesOf(scene.places.home);
  let config: Config;
  try {
    ({ config } = await loadConfig(places, () => undefined));
  } catch (problem) {
    if (!(problem instanceof UserError)) throw problem;
    const more = problem.hints.slice(0, 3).join("; ");
    return [...refused, error("proxy-config", problem.message, more)];
  }
  return [...refused, ...await missingKeys(config, places.environment)];
};

async function missingKeys(config: Config, path: string): Promise<readonly Finding[]> {
  const there = await namesIn(path);
  if (there === null) return []; // its mode is another finding
  const findings: Finding[] = [];
  for (const { name, apiKey, baseUrl } of config.providers.values()) {
    if (apiKey === null && NEED_KEY.test(baseUrl)) {
      const text = `the provider ${name} has no apiKey in proxy.json`;
      findings.push(error("key-missing", text, `add "apiKey": {"env": "NAME"} to it`));
    }
    if (apiKey?.from !== "env" || there.has(apiKey.name)) continue;
    const text = `${path} has no ${apiKey.name}, the key of the provider ${name}`;
    findings.push(error("key-missing", text, `write a line ${apiKey.name}=KEY into it`));
  }
  return findings;
}

async function namesIn(path: string): Promise<ReadonlySet<string> | null> {
  try {
    const text = await ifPresent(readPrivate(path, MAX_ENV_BYTES)) ?? "";
    const { entries } = readKeyValues(text);
    return new Set(entries.filter(({ value }) => value.trim() !== "").map(({ key }) => key));
  } catch (problem) {
    if (problem instanceof UserError) return null;
    throw problem;
  }
}

export const examineMemory: Examine = ({ settings, memoryBytes }: DoctorScene) => {
  if (settings.role !== "agent") return Promise.resolve([]);
  const gibibytes = memoryBytes() / 2 ** 30;
  if (gibibytes >= 3.5) return Promise.resolve([]);
  const text = `this VM has ${gibibytes.toFixed(1)} GiB of memory; the gateway takes 0.9 to 1.7 ` +
    "with work to do, and was killed in less than 2";
  const fix = "in dom0: qvm-prefs VM maxmem 4096, qvm-prefs VM memory 2048; then restart the VM";
  return Promise.resolve([(gibibytes < 1.9 ? error : warning)("memory-low", text, fix)]);
};
