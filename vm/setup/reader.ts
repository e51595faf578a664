// SPDX-License-Identifier: GPL-2.0-or-later
/** What a fact is now. @module */

import { exists, ifPresent, readSmallText } from "../../shared/io/files.ts";
import { UserError } from "../../shared/cli/program.ts";
import { toHex, utf8 } from "../../shared/protocol/bytes.ts";
import type { Value } from "../../shared/setup/record.ts";
import type { Tools } from "../../shared/setup/tools.ts";
import { type Fact, type PackageList, PER_VM, stampOf, systemctl, YES } from "./fact.ts";
import { settingOf } from "./openclaw_setting.ts";
import type { Places } from "./places.ts";

/** setup-vm writes no file larger than this. */
export const MAX_FILE_BYTES = 1024 * 1024;

/** Packages of a run that was cut off. */
export const INCOMPLETE = "incomplete";

export type Read = (fact: Fact) => Promise<Value>;

export function createRead(tools: Tools, places: Places): Read {
  return async (fact) => {
    switch (fact.kind) {
      case "folder":
        return await folderMode(fact);
      case "file":
        return await ifPresent(readSmallText(fact.path, MAX_FILE_BYTES)) ?? null;
      case "kept":
        return await exists(fact.path) ? YES : null;
      case "setting":
        return settingOf(await ifPresent(readSmallText(fact.path, MAX_FILE_BYTES)), fact.key);
      case "packages":
        return await installedHash(fact.prefix, fact.name) ??
          (await exists(`${fact.prefix}/${fact.name}`) ? INCOMPLETE : null);
      case "ports":
        return await openPorts(tools);
      case "linger":
        return await exists(`${places.root}/var/lib/systemd/linger/${fact.user}`) ? YES : null;
      case "enabled":
      case "active": {
        const { argv: [program, ...args] } = systemctl(
          fact.manager,
          `is-${fact.kind}`,
          "--quiet",
          fact.unit,
        );
        // Nobody has to be root to ask.
        const argv = program === "sudo" ? args.slice(1) : [program, ...args];
        const { code } = await tools.run({ argv: argv as [string, ...string[]] });
        return code === 0 ? YES : null;
      }
    }
  };
}

/** @throws {UserError} if something else is there */
async function folderMode(fact: Fact & { kind: "folder" }): Promise<Value> {
  const info = await ifPresent(Deno.lstat(fact.path));
  if (info === undefined) return null;
  if (info.isDirectory) {
    return fact.private ? ((info.mode ?? 0) & 0o7777).toString(8).padStart(4, "0") : YES;
  }
  throw new UserError(`${fact.path} is not a folder`, ["move it to another place"]);
}

export async function fileHash(path: string): Promise<string | undefined> {
  const text = await ifPresent(readSmallText(path, MAX_FILE_BYTES));
  if (text === undefined) return undefined;
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", utf8(text))));
}

/** What is completely there; undefined: nothing, or half of it. */
export function installedHash(prefix: string, name: PackageList): Promise<string | undefined> {
  return fileHash(stampOf(prefix, name));
}

/** The ports of the whitelist; null without one. */
async function openPorts(tools: Tools): Promise<Value> {
  const { stdout } = await tools.run({ argv: ["openclaw-ports", "status", "--json"] });
  const status = parseStatus(stdout);
  if (status === undefined || !status.whitelisted) return null;
  const open = status.open.filter(({ service }) => service === "qubes.ConnectTCP");
  const ports = [...new Set(open.map(({ port }) => port))].sort().join(" ");
  if (ports === "") return null;
  return open.every(({ per_vm }) => per_vm === true) ? `${PER_VM} ${ports}` : ports;
}

interface Status {
  readonly whitelisted: boolean;
  readonly open: readonly {
    readonly service: string;
    readonly port: string;
    readonly per_vm: boolean;
  }[];
}

function parseStatus(text: string): Status | undefined {
  try {
    const status = JSON.parse(text);
    return Array.isArray(status?.open) ? status : undefined;
  } catch {
    return undefined;
  }
}
