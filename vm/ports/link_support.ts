// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Whether the qrexec agent of this VM serves links to /dev/tcp. The packages tell, not the
 * release: qubes.ConnectTCP of the distribution is such a link since qubes-core-agent 4.2.33,
 * which wants a qrexec (4.2.19) that serves it; so an updated Qubes 4.2 has it too. Its
 * rpc-config has to be there as well: it keeps the agent from writing the call's own words
 * ("qubes.ConnectTCP+32125 work" and a NUL) in front of what the caller sends.
 *
 * @module
 */

import { ifPresent, readSmallText } from "../../shared/io/files.ts";
import { UserError } from "../../shared/cli/program.ts";
import { CONNECT, type Form, SYSTEM_FOLDER } from "./service_files.ts";

export interface Chosen {
  readonly form: Form;
  /** For people. */
  readonly because: string;
}

/** Where agents look for rpc-config; before 4.3.5 only in the last. */
const CONFIG_FOLDERS = [
  "/run/qubes/rpc-config",
  "/usr/local/etc/qubes/rpc-config",
  "/etc/qubes/rpc-config",
] as const;
const MAX_CONFIG_BYTES = 64 * 1024;

/** @throws {UserError} if links are asked for and could not work */
export async function chooseForm(root: string, asked: Form | undefined): Promise<Chosen> {
  if (asked === "script" || asked === "per-vm") return { form: asked, because: "asked for" };
  const isBare = await skipsDescriptor(root);
  if (asked === "link") {
    if (isBare) return { form: "link", because: "asked for" };
    throw new UserError(`no rpc-config of ${CONNECT} says skip-service-descriptor=true`, [
      "a link would send the words of the call to the port first; use --script",
    ]);
  }
  const path = `${SYSTEM_FOLDER}/${CONNECT}`;
  const target = await linkTarget(root + path);
  if (target === undefined || !/^\/dev\/tcp(\/|$)/.test(target)) {
    return { form: "script", because: `${path} is no link to /dev/tcp here` };
  }
  if (!isBare) return { form: "script", because: `${CONNECT} has no rpc-config here` };
  return { form: "link", because: `${path} is such a link` };
}

async function linkTarget(path: string): Promise<string | undefined> {
  const info = await ifPresent(Deno.lstat(path));
  return info?.isSymlink ? await Deno.readLink(path) : undefined;
}

/** The first file that is found counts. */
async function skipsDescriptor(root: string): Promise<boolean> {
  for (const folder of CONFIG_FOLDERS) {
    const text = await ifPresent(readSmallText(`${root}${folder}/${CONNECT}`, MAX_CONFIG_BYTES));
    if (text !== undefined) return /^\s*skip-service-descriptor\s*=\s*(true|1)\s*$/m.test(text);
  }
  return false;
}
