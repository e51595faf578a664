// SPDX-License-Identifier: GPL-2.0-or-later
/** A server that speaks as OpenAI does, and is none of the providers that setup-vm knows by name. @module */

import { UsageError } from "../../shared/cli/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { readBaseUrl } from "../proxy/config/base_url.ts";
import { MODEL } from "../proxy/config/config.ts";
import { BAD } from "../settings/shape.ts";

export interface CompatibleServer {
  /** Without a slash at its end: the proxy puts /chat/completions behind it. */
  readonly baseUrl: string;
  /** null: not said. llama.cpp and LM Studio answer to any name, most others do not. */
  readonly model: string | null;
}

/** Stands in proxy.json until the user names one. */
export const UNNAMED_MODEL = "default";

/** @throws {UsageError} that names the value and what to write */
export function parseServer(url: string, model: string | undefined): CompatibleServer {
  const problems: { readonly text: string; readonly fix: string }[] = [];
  const baseUrl = readBaseUrl(url, "", (problem) => problems.push(problem));
  if (baseUrl === BAD) {
    const [{ text, fix } = { text: "not a URL", fix: "" }] = problems;
    throw new UsageError(`${printable(url)}: ${text}`, [fix]);
  }
  if (model !== undefined && !MODEL.test(model)) {
    throw new UsageError(`--model: ${printable(model)} is not the name of a model`, [
      `the server names its models: curl ${baseUrl}/models`,
    ]);
  }
  return { baseUrl, model: model ?? null };
}

/** On loopback and in the own network nobody asks for a key, as a rule. */
export function wantsKey({ baseUrl }: CompatibleServer): boolean {
  return baseUrl.startsWith("https:");
}

/** proxy.json, without a reference to a key that is not there. */
export function withoutKey(proxyJson: string): string {
  const { providers: { compatible: { apiKey: _, ...provider } }, ...rest } = JSON.parse(proxyJson);
  return JSON.stringify({ ...rest, providers: { compatible: provider } }, null, 2) + "\n";
}
