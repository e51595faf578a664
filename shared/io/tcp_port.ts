// SPDX-License-Identifier: GPL-2.0-or-later
/** TCP ports and loopback addresses, as people write them. @module */

import { parseDecimal } from "../protocol/bytes.ts";
import { printable } from "../protocol/printable.ts";
import { ProtocolError } from "../protocol/refusal.ts";
import { UsageError } from "../cli/program.ts";

declare const brand: unique symbol;
/** A TCP port from 1 to 65535. Made only by parseTcpPort(). */
export type TcpPort = number & { readonly [brand]: "TcpPort" };
/** An address that only this machine reaches. Made only by parseLoopback(). */
export type Loopback = ("127.0.0.1" | "::1") & { readonly [brand]: "Loopback" };

/** Decimal, no sign, no leading zero. @throws {ProtocolError} "bad-argument" */
export function parseTcpPort(untrustedText: string): TcpPort {
  return parseDecimal(untrustedText, 1, 65535) as TcpPort;
}

/** @throws {UsageError} for every address but 127.0.0.1, ::1 and their name */
export function parseLoopback(text: string): Loopback {
  const address = text.replace(/^\[(.*)\]$/, "$1");
  if (address === "localhost" || address === "127.0.0.1") return "127.0.0.1" as Loopback;
  if (address === "::1") return "::1" as Loopback;
  throw new UsageError(`not a loopback address: ${printable(text)}`, [
    "it listens on 127.0.0.1 or ::1 only: whoever reaches the port reaches the VM",
  ]);
}

/** Where one port of this machine leads. */
export interface PortRoute {
  readonly address: Loopback;
  readonly port: TcpPort;
  /** In the VM. */
  readonly remotePort: TcpPort;
}

/** "PORT", "PORT:REMOTE", "ADDR:PORT" or "ADDR:PORT:REMOTE". @throws {UsageError} */
export function parsePortRoute(text: string): PortRoute {
  const [, address = "127.0.0.1", port = "", remote] =
    /^(?:(\[[^\]]*\]|[^:\[\]]*[^:\[\]0-9][^:\[\]]*):)?([^:]*)(?::([^:]*))?$/.exec(text) ?? [];
  if (port === "") throw new UsageError(`not [ADDR:]PORT[:REMOTE]: ${printable(text)}`);
  const local = userPort(port);
  return {
    address: parseLoopback(address),
    port: local,
    remotePort: remote === undefined ? local : userPort(remote),
  };
}

function userPort(text: string): TcpPort {
  try {
    return parseTcpPort(text);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UsageError(`not a port from 1 to 65535: ${printable(text)}`);
  }
}
