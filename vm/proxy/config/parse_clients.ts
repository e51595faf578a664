// SPDX-License-Identifier: GPL-2.0-or-later
/** Clients and what they may use, as proxy.json says it. @module */

import { ProtocolError } from "../../../shared/protocol/refusal.ts";
import { parseVmName, type VmName } from "../../../shared/protocol/vm_name.ts";
import {
  BAD,
  number,
  optional,
  type Read,
  record,
  type Report,
  text,
  then,
  whole,
} from "../../settings/shape.ts";
import type { Client, Limits } from "./config.ts";
import { secretRef } from "./parse_secret.ts";

export interface RawClient extends Omit<Client, "name" | "limits"> {
  readonly limits: Limits | null;
}

export const nullable = <T>(read: Read<T>) => optional<T | null>(read, null);

export const amount = (max: number) => nullable(number(0, max));
export const limits = record<Limits>({
  requestsPerMinute: nullable(whole(1, 1_000_000)),
  tokensPerMinute: nullable(whole(1, 1e12)),
  tokensPerDay: nullable(whole(1, 1e12)),
  concurrent: nullable(whole(1, 10_000)),
  spendPerDay: amount(1e9),
  spendPerMonth: amount(1e9),
});
export const noLimits = limits({}, "", () => {}) as Limits;

const vmName: Read<VmName> = then(
  text(/^[\w.-]{1,100}$/, "write the name of a qube"),
  (value, path, report) => {
    try {
      return parseVmName(value);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      report({ path, text: "not the name of a qube", fix: "write it as qvm-ls shows it" });
      return BAD;
    }
  },
);
export const client: Read<RawClient> = then(
  record({ key: nullable(secretRef), vm: nullable(vmName), limits: nullable(limits) }),
  (value, path, report) => {
    if (value.key !== null || value.vm !== null) return value;
    report({
      path,
      text: "nothing tells who this is",
      fix: 'write "vm": "NAME" of the qube that asks, or "key": { "env": "NAME" }',
    });
    return BAD;
  },
);

/** Without a key there is nothing to tell two clients of one VM apart. */
export function reportTwins(
  clients: ReadonlyMap<string, RawClient>,
  report: Report,
): void {
  const byVm = new Map<VmName, string>();
  for (const [name, { vm, key }] of clients) {
    if (vm === null || key !== null) continue;
    const twin = byVm.get(vm);
    if (twin !== undefined) {
      report({
        path: `clients.${name}.vm`,
        text: `is the VM of ${twin}, too`,
        fix: "leave one of them, or give each a key as well",
      });
    }
    byVm.set(vm, name);
  }
}
