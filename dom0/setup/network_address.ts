// SPDX-License-Identifier: GPL-2.0-or-later
/** An address and a port as setup takes them: one spelling each, refused and not repaired. @module */

import { UsageError } from "../../shared/io/program.ts";
import { printable } from "../../shared/protocol/printable.ts";

declare const ipBrand: unique symbol;
declare const portBrand: unique symbol;
/** A private IPv4 address (RFC 1918). Made only by parsePrivateIpv4(). */
export type PrivateIpv4 = string & { readonly [ipBrand]: "PrivateIpv4" };
/** A TCP port that needs no root to listen on. Made only by parsePort(). */
export type TcpPort = number & { readonly [portBrand]: "TcpPort" };

const MIN_PORT = 1024;
const MAX_PORT = 65535;

/** @throws {UsageError} */
export function parsePrivateIpv4(text: string): PrivateIpv4 {
  const parts = text.split(".").map((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) ? +part : NaN);
  const [a = NaN, b = NaN, , d = NaN] = parts;
  const isAddress = parts.length === 4 && parts.every((part) => part <= 255);
  const isPrivate = a === 10 || (a === 172 && b >= 16 && b <= 31) || (a === 192 && b === 168);
  if (isAddress && isPrivate && d !== 0 && d !== 255) return text as PrivateIpv4;
  throw new UsageError(`${printable(text)} is not a private IPv4 address of a machine`, [
    "Qubes uses 10.137.0.0/16; for example 10.137.0.100",
  ]);
}

/** @throws {UsageError} */
export function parsePort(what: string, text: string): TcpPort {
  const port = /^[1-9][0-9]{0,4}$/.test(text) ? Number(text) : NaN;
  if (port >= MIN_PORT && port <= MAX_PORT) return port as TcpPort;
  throw new UsageError(
    `${what} takes a port from ${MIN_PORT} to ${MAX_PORT}, got: ${printable(text)}`,
  );
}
