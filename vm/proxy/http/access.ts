// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Who may ask. A loopback port is no authentication: any page in a browser of this VM reaches it,
 * and so does every VM that dom0's policy lets in. All checks must hold.
 *
 * Which VM asks is never in what it sends: qrexec says it, and the connection comes through the
 * socket of that VM (vm_sockets.ts). Through such a socket only the clients of that VM count.
 *
 * @module
 */

import { timingSafeEqual } from "@std/crypto/timing-safe-equal";
import type { VmName } from "../../../shared/protocol/vm_name.ts";
import type { Client, Config, Limits } from "../config/config.ts";
import { type Fault, fault } from "../translate/fault.ts";

export interface Caller {
  /** As proxy.json calls it. */
  readonly name: string;
  /** null: a program of this VM. */
  readonly vm: VmName | null;
  /** Under which its use is booked. */
  readonly account: string;
  readonly limits: Limits;
}

/** Whoever asks where no client is configured. */
const ANYONE = "anyone";

const LOOPBACK_HOST = /^(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/;

/** Stops DNS rebinding, and pages of other origins. @returns null if the request may go on */
export function refuseOrigin(untrusted: Headers, config: Config): Fault | null {
  const host = untrusted.get("host") ?? "";
  const known = (name: string): boolean =>
    LOOPBACK_HOST.test(name) || config.hosts.includes(name) ||
    config.hosts.includes(name.replace(/:\d{1,5}$/, ""));
  if (!known(host)) {
    return fault("invalid_request", "the Host header names neither loopback nor an allowed host");
  }
  const origin = untrusted.get("origin");
  if (origin === null) return null;
  const from = /^https?:\/\/([^/]+)$/.exec(origin)?.[1] ?? "";
  return known(from) ? null : fault("invalid_request", "pages of other origins are refused");
}

/** The key that a request carries, in either of the headers that the SDKs use. */
export function untrustedKey(untrusted: Headers): string | null {
  const bearer = /^bearer +(\S+)$/i.exec(untrusted.get("authorization") ?? "")?.[1];
  return bearer ?? untrusted.get("x-api-key");
}

/**
 * @param vm whose socket the request came through; null: the port on loopback
 * @param keyOf a client's key; null if it cannot be had now
 */
export async function identify(
  untrusted: Headers,
  vm: VmName | null,
  config: Config,
  keyOf: (client: Client) => Promise<string | null>,
): Promise<Caller | Fault> {
  if (config.clients.length === 0 && vm === null) {
    return { name: ANYONE, vm, account: ANYONE, limits: config.limits };
  }
  const mayBe = config.clients.filter((client) => client.vm === vm);
  const given = untrustedKey(untrusted);
  const asksForKey = mayBe.some(({ key }) => key !== null);
  const givenDigest = given === null || !asksForKey ? null : await digest(given);
  let found: Client | null = null;
  for (const client of mayBe) { // all of them: the time tells nothing
    const key = client.key === null ? null : await keyOf(client);
    if (key === null || givenDigest === null) continue;
    if (timingSafeEqual(await digest(key), givenDigest)) found = client;
  }
  // A key that fits says more than the VM alone; one that is for nobody (OpenClaw may be made to
  // send any word) changes nothing where the VM is enough.
  found ??= mayBe.find(({ key }) => key === null) ?? null;
  if (found !== null) return { ...found, vm, account: accountOf(found) };
  return fault(
    "authentication",
    given === null
      ? "this proxy asks for a key: set apiKey in the client"
      : "the proxy does not know this key",
  );
}

/**
 * A VM's books follow the VM, whatever proxy.json calls it: another name is no fresh start. No
 * name of a client has a colon in it.
 */
export function accountOf({ name, key, vm }: Client): string {
  if (vm === null) return name;
  return key === null ? `vm:${vm}` : `vm:${vm}:${name}`;
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}
