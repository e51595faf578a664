// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Finds what serves a call: a program, a unix socket, or a TCP address.
 *
 * All folders are searched for "service+argument" first, then all for
 * "service" (reference/qrexec.md 4.8).
 *
 * @module
 */
import type { ServiceCommand } from "./command_line.ts";
import { isGone } from "./files.ts";

/** What serves a call. */
export type Service =
  | { readonly kind: "program"; readonly path: string }
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "missing"; readonly reason: string }
  | { readonly kind: "broken"; readonly reason: string };

const TCP = "/dev/tcp";
const MAX_PORT = 65535;
const ANY_EXECUTE = 0o111;

/** The names under which a service, or its rpc-config, may be found, in order. */
export function serviceNames(command: ServiceCommand): readonly [string, string] {
  return [`${command.name}+${command.argument ?? ""}`, command.name];
}

/** @returns what serves the call, or why nothing does. */
export function findService(dirs: readonly string[], command: ServiceCommand): Service {
  for (const name of serviceNames(command)) {
    for (const dir of dirs) {
      const found = lookAt(`${dir}/${name}`, command);
      if (found !== undefined) return found;
    }
  }
  return { kind: "missing", reason: `Service not found: ${serviceNames(command)[0]}` };
}

/** @returns undefined if there is nothing, or a dangling link, at the path. */
function lookAt(path: string, command: ServiceCommand): Service | undefined {
  try {
    if (Deno.lstatSync(path).isSymlink) {
      const target = Deno.readLinkSync(path);
      if (target === TCP || target.startsWith(`${TCP}/`)) return tcpService(target, command);
    }
    const info = Deno.statSync(path);
    if (info.isSocket) return { kind: "socket", path };
    if (info.mode !== null && (info.mode & ANY_EXECUTE) !== 0 && !info.isDirectory) {
      return { kind: "program", path };
    }
    return broken(`Unknown service type (not executable, not a socket): ${path}`);
  } catch (error) {
    if (isGone(error)) return undefined;
    return broken(`stat/lstat(${path}): ${error}`);
  }
}

/** "/dev/tcp/HOST/PORT", or with the rest in the argument: "PORT" or "HOST+PORT". */
function tcpService(target: string, command: ServiceCommand): Service {
  const argument = command.argument ?? "";
  let [host, port]: (string | undefined)[] = target.slice(TCP.length + 1).split("/");
  if (target === `${TCP}/`) return broken("/dev/tcp/ not followed by host");
  if (port !== undefined) {
    if (argument !== "") return broken(`Unexpected argument ${argument} to service ${target}`);
  } else if (argument === "") {
    return broken(`No or empty argument provided, cannot connect to ${target}`);
  } else if (host) {
    port = argument;
  } else {
    const plus = argument.lastIndexOf("+");
    if (plus < 0) return broken(`No port provided, cannot connect to ${argument}`);
    host = argument.slice(0, plus);
    if (host.includes("_")) return broken(`Underscore not allowed in hostname ${host}`);
    host = host.replaceAll("+", ":");
    port = argument.slice(plus + 1);
  }
  if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > MAX_PORT) {
    return broken(`Invalid port number ${port}`);
  }
  if (!isNumericAddress(host ?? "")) return broken(`getaddrinfo(${host}, ${port}) failed`);
  return { kind: "tcp", host: host ?? "", port: Number(port) };
}

function isNumericAddress(host: string): boolean {
  const parts = host.split(".");
  const isIpv4 = parts.length === 4 &&
    parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
  return isIpv4 || host.includes(":") && /^[0-9A-Fa-f:.%a-z]+$/.test(host);
}

function broken(reason: string): Service {
  return { kind: "broken", reason };
}
