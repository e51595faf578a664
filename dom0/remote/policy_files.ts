// SPDX-License-Identifier: GPL-2.0-or-later
/** The policy folder: reading all of it, and the one file that "authorize" writes. @module */

import {
  exists,
  ifPresent,
  makePrivateFolder,
  readSmallText,
  writeAtomically,
} from "../../shared/io/files.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { parsePolicy, type Rule } from "./policy.ts";

const MAX_POLICY_BYTES = 256 * 1024;

/** All rules, in order of the file names. @throws on the first bad line or file */
export async function readPolicyFolder(folder: string): Promise<readonly Rule[]> {
  if (!await exists(folder)) return [];
  const names: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    // Whatever it is: one that cannot be read must not be passed over.
    if (/^[A-Za-z0-9].*\.policy$/s.test(entry.name)) names.push(entry.name);
  }
  const rules: Rule[] = [];
  for (const name of names.sort()) {
    rules.push(...parsePolicy(name, await readSmallText(`${folder}/${name}`, MAX_POLICY_BYTES)));
  }
  return rules;
}

/** Lets a VM run anything, as the original did. */
export async function writeFullGrant(folder: string, vm: VmName): Promise<void> {
  await makePrivateFolder(folder);
  const text = `# Written by: qvm-remote-dom0 authorize ${vm} --grant full\n` +
    `# operation  source  target  action\n*  ${vm}  *  allow\n`;
  await writeAtomically(grantFile(folder, vm), text, { sync: true });
}

export async function removeGrant(folder: string, vm: VmName): Promise<void> {
  await ifPresent(Deno.remove(grantFile(folder, vm)));
}

function grantFile(folder: string, vm: VmName): string {
  return `${folder}/50-${vm}.policy`;
}
