// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What the configuration needs beyond what the launcher gives in any case: the providers' hosts,
 * and the programs that fetch secrets or are a provider. The launcher asks for it before it
 * starts the proxy, so that a host that is not in proxy.json cannot be reached, whatever the
 * proxy is made to do. The usual homes of the providers are in it always: a change from one of
 * them to another is taken up without a restart.
 *
 * @module
 */

import { UserError } from "../../../shared/cli/program.ts";
import type { Config, SecretRef } from "./config.ts";
import { socketPath, vmsOf } from "../http/vm_sockets.ts";

const USUAL_HOSTS = ["api.openai.com:443", "api.anthropic.com:443", "127.0.0.1:11434"];

/**
 * Flags for Deno, each one word without anything that a shell would read otherwise.
 *
 * @param socketFolder where the VMs' sockets are; Deno takes each only by its whole path. null: this
 * Deno asks for no such leave
 * @param underSystemd whether systemd wants to be told that it listens
 */
export function permissionFlags(
  config: Config,
  port: number,
  socketFolder: string | null,
  underSystemd = false,
): string[] {
  const hosts = [...config.providers.values()].filter(({ baseUrl }) => baseUrl !== "")
    .map(({ baseUrl }) => hostOf(baseUrl));
  const sockets = socketFolder === null
    ? []
    : vmsOf(config).map((vm) => `unix:${plainPath(socketPath(socketFolder, vm))}`);
  const net = [...new Set([`127.0.0.1:${port}`, ...USUAL_HOSTS, ...hosts, ...sockets])];
  const refs = [
    ...[...config.providers.values()].flatMap(({ apiKey }) => apiKey === null ? [] : [apiKey]),
    ...config.clients.flatMap(({ key }) => key === null ? [] : [key]),
  ];
  const cursor = [...config.providers.values()].some(({ kind }) => kind === "cursor");
  const run = [
    ...new Set([
      ...(underSystemd ? ["systemd-notify"] : []),
      ...(cursor ? ["timeout"] : []),
      ...refs.flatMap(programOf),
    ]),
  ];
  return [
    `--allow-net=${net.join(",")}`,
    ...(run.length > 0 ? [`--allow-run=${run.join(",")}`] : []),
  ];
}

function plainPath(path: string): string {
  if (/^[\w.\/-]+$/.test(path)) return path;
  throw new UserError("clients of other VMs need a home folder with a plain name", [
    "letters, digits, '.', '_', '-' and '/' only",
  ]);
}

function hostOf(baseUrl: string): string {
  const { hostname, port, protocol } = new URL(baseUrl);
  return `${hostname}:${port === "" ? (protocol === "https:" ? 443 : 80) : port}`;
}

function programOf(ref: SecretRef): string[] {
  if (ref.from === "qrexec") return ["qrexec-client-vm"];
  return ref.from === "command" ? [ref.argv[0] ?? ""] : [];
}
