// SPDX-License-Identifier: GPL-2.0-or-later
/** @module */

/** One that nobody listens on. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
