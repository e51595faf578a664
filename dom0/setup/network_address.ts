// SPDX-License-Identifier: GPL-2.0-or-later
/** An address and a port as setup takes them: one spelling each, refused and not repaired. @module */

import { UsageError } from "../../shared/cli/program.ts";
import { parseTcpPort, type TcpPort } from "../../shared/io/tcp_port.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";

declare const ipBrand: unique symbol;
/** A private IPv4 address (RFC 1918). Made only by parsePrivateIpv4(). */
export type PrivateIpv4 = string & { readonly [ipBrand]: "PrivateIpv4" };

const MIN_PORT = 1024;

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

/** A port that needs no root to listen on. @throws {UsageError} */
export function parseUserPort(what: string, text: string): TcpPort {
  try {
    const port = parseTcpPort(text);
    if (port >= MIN_PORT) return port;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
  throw new UsageError(`${what} takes a port from ${MIN_PORT} to 65535, got: ${printable(text)}`);
}
