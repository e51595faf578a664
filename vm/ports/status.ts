// SPDX-License-Identifier: GPL-2.0-or-later
/** What the agent would do with a call, from the files that are there now. @module */

import { basename } from "@std/path/posix/basename";
import { ifPresent } from "../../shared/io/files.ts";
import { allPortFiles, ownership } from "./apply.ts";
import { PER_VM_SCRIPT } from "./refusal_script.ts";
import {
  parsePortFile,
  PER_VM_PROGRAM,
  RPC_FOLDERS,
  type Service,
  SERVICES,
} from "./service_files.ts";
import { TEMPLATE_REFUSAL, TMPFILES } from "./service_files.ts";
import type { VmKind } from "./vm_kind.ts";

export interface OpenPort {
  readonly service: Service;
  /** As in the file's name: printable() before it is shown. */
  readonly untrustedPort: string;
  readonly path: string;
  readonly servedBy: "agent" | "program" | "nothing";
  /** Whether the proxy is told which VM calls. */
  readonly perVm: boolean;
  readonly ours: boolean;
}

/** What meets a call for any other port. */
export interface OtherPorts {
  readonly service: Service;
  readonly path: string | null;
  readonly refused: boolean;
}

export interface PortStatus {
  readonly kind: VmKind;
  readonly open: readonly OpenPort[];
  readonly others: readonly OtherPorts[];
  /** Every port but those named is refused. */
  readonly whitelisted: boolean;
}

export async function readStatus(root: string, kind: VmKind): Promise<PortStatus> {
  const open: OpenPort[] = [];
  for (const path of await allPortFiles(root)) {
    const parsed = parsePortFile(basename(path));
    if (parsed === null) continue;
    const [servedBy, owner] = [await server(root + path), await ownership(root + path)];
    const perVm = owner === "ours" && await isPerVm(root + path);
    open.push({ ...parsed, path, servedBy, perVm, ours: owner === "ours" });
  }
  const others = kind === "template"
    ? await inItsVms(root)
    : await Promise.all(SERVICES.map((service) => otherPorts(root, service)));
  return { kind, open, others, whitelisted: others.every(({ refused }) => refused) };
}

/** As the agent looks: the first folder that has it, a link that leads nowhere does not count. */
async function otherPorts(root: string, service: Service): Promise<OtherPorts> {
  for (const folder of RPC_FOLDERS) {
    const path = `${folder}/${service}`;
    if (await server(root + path) === "nothing") continue;
    const resolved = await ifPresent(Deno.realPath(root + path));
    const refused = resolved !== undefined && await ownership(resolved) === "ours";
    return { service, path, refused };
  }
  return { service, path: null, refused: true }; // "Service not found"
}

/** A template is judged by what its VMs will get; its own /usr/local is not theirs. */
async function inItsVms(root: string): Promise<readonly OtherPorts[]> {
  const owners = await Promise.all(
    [TMPFILES, TEMPLATE_REFUSAL].map((path) => ownership(root + path)),
  );
  const refused = owners.every((owner) => owner === "ours");
  return SERVICES.map((service) => ({ service, path: refused ? TMPFILES : null, refused }));
}

async function isPerVm(path: string): Promise<boolean> {
  const { isSymlink } = await Deno.lstat(path);
  return isSymlink
    ? (await Deno.readLink(path)).endsWith(`/${basename(PER_VM_PROGRAM)}`)
    : await Deno.readTextFile(path) === PER_VM_SCRIPT;
}

async function server(path: string): Promise<OpenPort["servedBy"]> {
  const info = await ifPresent(Deno.lstat(path));
  if (info === undefined) return "nothing";
  if (info.isSymlink && /^\/dev\/tcp(\/|$)/.test(await Deno.readLink(path))) return "agent";
  return await ifPresent(Deno.stat(path)) === undefined ? "nothing" : "program";
}
