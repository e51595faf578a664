// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What this VM is for: ~/.config/openclaw/vm.json, written by setup-vm, read by openclaw-ctl and
 * openclaw-watchdog. They go by it and never guess from what happens to listen.
 *
 * @module
 */

import { ifPresent, readSmallText } from "../../shared/io/files.ts";
import { DEFAULT_OPENCLAW_CONF, DEFAULT_PROXY_PORT } from "../../shared/io/openclaw_conf.ts";
import { UserError } from "../../shared/cli/program.ts";
import { parseJson, problemsError } from "./json_file.ts";
import { BAD, flag, oneOf, optional, type Problem, record, required, whole } from "./shape.ts";

export const PROVIDERS = [
  "cursor",
  "openai",
  "anthropic",
  "ollama",
  "compatible",
  "multi",
] as const;
export type ProviderChoice = typeof PROVIDERS[number];

/** agent: the gateway runs here; keys: the proxy with the keys and no agent; client: neither. */
export type Role = "agent" | "keys" | "client";

export interface VmSettings {
  readonly role: Role;
  /** What setup-vm was asked for; "none" in a client VM. */
  readonly provider: ProviderChoice | "none";
  /** Whether the proxy runs in another VM, and its port here is a tunnel's. */
  readonly keyQube: boolean;
  /** Whose systemd starts proxy, gateway and watchdog. */
  readonly units: "system" | "user";
  readonly proxyPort: number;
  readonly gatewayPort: number;
}

const MAX_BYTES = 64 * 1024;

export function vmSettingsPath(home: string): string {
  return `${home}/.config/openclaw/vm.json`;
}

const readSettings = record<VmSettings>({
  role: required(oneOf(["agent", "keys", "client"])),
  provider: optional(oneOf([...PROVIDERS, "none"]), "none"),
  keyQube: optional(flag, false),
  units: optional(oneOf(["system", "user"]), "user"),
  proxyPort: optional(whole(1, 65535), DEFAULT_PROXY_PORT),
  gatewayPort: optional(whole(1, 65535), DEFAULT_OPENCLAW_CONF.gatewayPort),
});

export function parseVmSettings(value: unknown): VmSettings | readonly Problem[] {
  const problems: Problem[] = [];
  const settings = readSettings(value, "", (problem) => problems.push(problem));
  return settings === BAD ? problems : settings;
}

/** @throws {UserError} if the file is missing or wrong */
export async function loadVmSettings(home: string): Promise<VmSettings> {
  const path = vmSettingsPath(home);
  const text = await ifPresent(readSmallText(path, MAX_BYTES));
  if (text === undefined) {
    throw new UserError(`there is no ${path}: nothing says what this VM is for`, [
      "in the agent VM, or the VM with the keys: setup-vm PROVIDER writes it",
      'in a client VM write {"role": "client"} into it',
    ]);
  }
  const settings = parseVmSettings(parseJson(path, text));
  if ("role" in settings) return settings;
  throw problemsError(path, settings, 'or write it anew with "setup-vm PROVIDER"');
}

/** The file's text; what the reader takes back unchanged. */
export function writtenVmSettings(settings: VmSettings): string {
  return JSON.stringify(settings, null, 2) + "\n";
}
