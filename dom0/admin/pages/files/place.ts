// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Where the page Files is: a folder of dom0 or of a qube, and where files of it are copied to. All of
 * it stands in the address, so back and reload keep it.
 *
 * @module
 */

import type { View } from "../../admin_context.ts";
import { parseDom0Path } from "../../../../shared/protocol/dom0_path.ts";
import { dirname } from "@std/path/posix/dirname";
import { ProtocolError } from "../../../../shared/protocol/refusal.ts";

/** Where a person's files are, in dom0. */
export const DOM0_START = "/home";
/** The same in a qube: the home of its usual user. */
export const QUBE_START = "~";

export interface Place {
  /** null: dom0 */
  readonly vm: string | null;
  /** A folder, absolute. */
  readonly path: string;
}

export interface Files extends Place {
  /** Where to: a qube, or null for dom0; undefined: not chosen. */
  readonly to: string | null | undefined;
  /** The folder there; "" is the one that qvm-copy would take. */
  readonly into: string;
  /** A folder there whose folders are shown, to choose one; null: none is being chosen. */
  readonly pick: string | null;
}

const DOM0 = "dom0";

export function filesOf(query: Pick<URLSearchParams, "get">): Files {
  const vm = placeNamed(query.get("vm") ?? DOM0) ?? null;
  const to = placeNamed(query.get("to") ?? (vm === null ? "" : DOM0));
  const pick = query.get("pick");
  const start = vm === null ? DOM0_START : QUBE_START;
  const path = cleaned(query.get("path") ?? start);
  // Another place was chosen, and the folder left as it stood: that was one of the place before.
  const [, before, folder] = /^([^:]*):(.*)$/s.exec(query.get("before") ?? "") ?? [];
  const isLeft = before !== undefined && before !== (vm ?? DOM0) && folder === path;
  return {
    vm,
    path: isLeft ? start : path,
    to: to === vm ? undefined : to,
    into: cleaned(query.get("into") ?? ""),
    pick: pick === null ? null : cleaned(pick),
  };
}

function placeNamed(name: string): string | null | undefined {
  return name === "" ? undefined : name === DOM0 ? null : name;
}

/** The address of the page, with something else in it. */
export function filesPath(files: Files, more: Partial<Files> = {}): string {
  const { vm, path, to, into, pick } = { ...files, ...more };
  const query = new URLSearchParams();
  if (vm !== null) query.set("vm", vm);
  query.set("path", path);
  if (to !== undefined && !(to === null && vm !== null)) query.set("to", to ?? DOM0);
  if (into !== "") query.set("into", into);
  if (pick !== null) query.set("pick", pick);
  return `/files?${query}`;
}

/** One spelling: no slash at the end. */
export function cleaned(path: string): string {
  return path.trim().replace(/(?!^)\/+$/, "");
}

export function inFolder(folder: string, name: string): string {
  return `${folder === "/" ? "" : folder}/${name}`;
}

/** The path of what is in a folder; null: it has a name that nobody can ask for. */
export function pathIn(folder: string, name: string): string | null {
  if (name.includes("/")) return null;
  const path = inFolder(folder, name);
  try {
    parseDom0Path(path.replace(/^~/, ""));
    return path;
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

/** The folder that holds a folder; null for the root, and for what is no path. */
export function parentOf(path: string): string | null {
  if (path === "~") return "/home";
  return path === "/" || !/^~?\//.test(path) ? null : dirname(path);
}

/** dom0 can be asked, and a qube that runs can. */
export function runningQubes({ qubes }: Pick<View, "qubes">): readonly string[] {
  return qubes.qubes.filter((one) => one.state === "Running" && one.class !== "AdminVM")
    .map(({ name }) => name);
}

export function isReachable(view: Pick<View, "qubes">, vm: string | null): boolean {
  return vm === null || view.qubes.byName.get(vm)?.state === "Running";
}
