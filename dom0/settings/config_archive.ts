// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The project's configuration and public state as one JSON text that a person can read: remote.conf,
 * the files of policy, which VM has which key by its fingerprint, which qubes there are. The keys
 * themselves are in it only if somebody wanted them. Pure.
 *
 * @module
 */

import { UserError } from "../../shared/cli/program.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import { parseVmName, type VmName } from "../../shared/protocol/vm_name.ts";

export interface ConfigArchive {
  readonly madeMs: number;
  /** The text of remote.conf. */
  readonly config: string;
  /** The files of policy, by name. */
  readonly policy: ReadonlyMap<string, string>;
  readonly rights: readonly ArchivedRight[];
  /** For people; null: dom0 could not be asked. */
  readonly qubes: readonly ArchivedQube[] | null;
  /** The text of each VM's key; null: they are not in it. */
  readonly keys: ReadonlyMap<VmName, string> | null;
}

/** A type, so that it is plain JSON. */
export type ArchivedRight = {
  readonly vm: VmName;
  readonly fingerprint: string;
  readonly acceptsV1: boolean;
};

export type ArchivedQube = { readonly name: string; readonly class: string };

const FORMAT = "qubes-claw configuration";
export const ARCHIVE_VERSION = 1;

export function archiveText(archive: ConfigArchive): string {
  const { madeMs, config, policy, rights, qubes, keys } = archive;
  const content = {
    format: FORMAT,
    version: ARCHIVE_VERSION,
    madeAt: new Date(madeMs).toISOString(),
    hasKeys: keys !== null,
    config,
    policy: Object.fromEntries(policy),
    rights,
    qubes,
    keys: keys === null ? null : Object.fromEntries(keys),
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** @throws {UserError} it is no such archive, and why */
export function parseArchive(text: string): ConfigArchive {
  const read = recordOf(parseJson(text), "it is no archive of the configuration");
  if (read["format"] !== FORMAT) throw new UserError("it is no archive of the configuration");
  if (read["version"] !== ARCHIVE_VERSION) {
    throw new UserError(
      `it is of version ${Number(read["version"])}; this program reads ${ARCHIVE_VERSION}`,
    );
  }
  const { madeAt, config, rights, keys } = read;
  const madeMs = typeof madeAt === "string" ? Date.parse(madeAt) : NaN;
  if (!Number.isFinite(madeMs)) throw new UserError("it does not say when it was made");
  if (typeof config !== "string") throw new UserError("remote.conf is not in it");
  return {
    madeMs,
    config,
    policy: new Map(Object.entries(textsOf(read["policy"], "policy"))),
    rights: Array.isArray(rights) ? rights.map(rightOf) : [],
    qubes: null, // nothing is made of them
    keys: keys === null ? null : new Map(
      Object.entries(textsOf(keys, "keys")).map(([vm, key]) => [vmOf(vm), key]),
    ),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UserError("it is no archive of the configuration: it is no JSON");
  }
}

function recordOf(value: unknown, problem: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value));
  }
  throw new UserError(problem);
}

function textsOf(value: unknown, what: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, text] of Object.entries(recordOf(value, `${what} is not in it`))) {
    if (typeof text !== "string") throw new UserError(`${what} of it is not text`);
    found[name] = text;
  }
  return found;
}

function rightOf(value: unknown): ArchivedRight {
  const { vm, fingerprint, acceptsV1 } = recordOf(value, "rights of it are not as they should be");
  if (typeof vm !== "string" || typeof fingerprint !== "string") {
    throw new UserError("rights of it are not as they should be");
  }
  return { vm: vmOf(vm), fingerprint, acceptsV1: acceptsV1 === true };
}

function vmOf(untrustedName: string): VmName {
  try {
    return parseVmName(untrustedName);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UserError("it names a VM that cannot be one");
  }
}
