// SPDX-License-Identifier: GPL-2.0-or-later
/** What is made anew for each VM, and the file where keys are filled in. @module */

import type { ProviderChoice } from "../settings/vm_settings.ts";

const TOKEN_BYTES = 32;

/** 256 bits from the system, in hex. */
export function randomToken(): string {
  return [...crypto.getRandomValues(new Uint8Array(TOKEN_BYTES))]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const KEY_NAMES: Readonly<Record<ProviderChoice, readonly string[]>> = {
  cursor: ["CURSOR_API_KEY"],
  openai: ["OPENAI_API_KEY"],
  anthropic: ["ANTHROPIC_API_KEY"],
  ollama: [],
  compatible: ["COMPATIBLE_API_KEY"],
  multi: ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "CURSOR_API_KEY"],
};

/** The variables that the provider's proxy.json names. */
export function keyNames(provider: ProviderChoice): readonly string[] {
  return KEY_NAMES[provider];
}

export function proxyEnvText(provider: ProviderChoice): string {
  const names = keyNames(provider);
  return [
    "# Keys of the model providers, one NAME=KEY a line. The proxy alone reads this file, and only",
    "# while nobody else can: chmod 600.",
    ...(names.length === 0 ? ["# Ollama needs no key."] : names.map((name) => `#${name}=`)),
  ].join("\n") + "\n";
}
