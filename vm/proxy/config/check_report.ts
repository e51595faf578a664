// SPDX-License-Identifier: GPL-2.0-or-later
/** What check-config says of a configuration that is right. @module */

import { type Config, type SecretRef, targetName } from "./config.ts";
import { permissionFlags } from "./permissions.ts";

export interface Checked {
  readonly path: string;
  readonly port: number;
  readonly socketFolder: string | null;
  /** Of proxy.env: its mode, or what is wrong with it. */
  readonly environment: string;
  /** Whether the key can be had, in words. */
  readonly keyOf: (ref: SecretRef) => string;
}

export function checkReport(
  config: Config,
  { path, port, socketFolder, environment, keyOf }: Checked,
): string {
  const lines = [`${path}: good; it will listen on 127.0.0.1:${port}`, environment];
  for (const { name, kind, baseUrl, apiKey } of config.providers.values()) {
    const key = apiKey === null ? "no key" : `key from ${apiKey.from}: ${keyOf(apiKey)}`;
    lines.push(`provider ${name}: ${kind}${baseUrl === "" ? "" : `, ${baseUrl}`}, ${key}`);
  }
  for (const [name, route] of config.routes) {
    const ranks = route.map((rank) => rank.map(targetName).join(" or "));
    lines.push(`model ${name}: ${ranks.join(", then ")}`);
  }
  for (const { name, key, vm } of config.clients) {
    const known = [
      ...(vm === null ? [] : [`the VM ${vm}`]),
      ...(key === null ? [] : [`its key (${keyOf(key)})`]),
    ];
    lines.push(`client ${name}: known by ${known.join(" and ")}`);
  }
  const capped = [config.limits, ...config.clients.map(({ limits }) => limits)]
    .some(({ spendPerDay, spendPerMonth }) => spendPerDay !== null || spendPerMonth !== null);
  for (const target of [...config.routes.values()].flat(2)) {
    const { kind } = target.provider;
    if (!capped || kind === "ollama" || kind === "cursor") continue;
    if (config.prices.has(targetName(target))) continue;
    lines.push(
      `warning: ${targetName(target)} has no price; whoever has a cap on money is refused it`,
    );
  }
  if (config.clients.length === 0) {
    lines.push("warning: no clients, so that whoever reaches the port may use it");
  }
  lines.push(`permissions: ${permissionFlags(config, port, socketFolder).join(" ")}`);
  return [...new Set(lines)].join("\n") + "\n";
}
