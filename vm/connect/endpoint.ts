// SPDX-License-Identifier: GPL-2.0-or-later
/** Whether the far end of a tunnel answers, and if not, why, in words for people. @module */

import type { PortRoute } from "../../shared/io/tcp_port.ts";
import type { Settings } from "./cli.ts";

/** One answer of a server that runs; a tunnel may start its stream for it. */
const PROBE_LIMIT_MS = 5_000;

export interface Endpoint {
  readonly name: "proxy" | "gateway";
  /** What a person or a program uses. No token: this text goes to terminals and to the journal. */
  readonly url: string;
  readonly healthUrl: string;
}

export function endpointsOf({ proxy, gateway }: Settings): readonly Endpoint[] {
  const at = ({ address, port }: PortRoute): string =>
    `http://${address === "::1" ? "[::1]" : address}:${port}`;
  const atGateway: Endpoint = {
    name: "gateway",
    url: `${at(gateway)}/`,
    healthUrl: `${at(gateway)}/healthz`,
  };
  if (proxy === null) return [atGateway];
  return [
    { name: "proxy", url: `${at(proxy)}/v1`, healthUrl: `${at(proxy)}/health` },
    atGateway,
  ];
}

/** @returns null if it is well, or why it is not */
export async function probe({ healthUrl }: Endpoint): Promise<string | null> {
  try {
    const response = await fetch(healthUrl, {
      redirect: "manual",
      headers: { connection: "close" }, // an idle connection would hold a qrexec call
      signal: AbortSignal.timeout(PROBE_LIMIT_MS),
    });
    await response.body?.cancel(); // what the other VM says beyond the number is not read
    return response.status === 200 ? null : `it answers with HTTP status ${response.status}`;
  } catch (error) {
    if (error instanceof DOMException && error.name === "TimeoutError") {
      return `no answer in ${PROBE_LIMIT_MS / 1000} s: the agent VM is starting, or hangs`;
    }
    if (!(error instanceof Error)) throw error;
    return /refused/i.test(String(error.cause ?? error.message) + error.message)
      ? "nothing listens here: no tunnel runs"
      : "the tunnel is there, and nothing answers behind it";
  }
}
