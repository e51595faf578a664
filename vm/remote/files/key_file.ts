// SPDX-License-Identifier: GPL-2.0-or-later
/** The key in ~/.qvm-remote/auth.key: read only if nobody else could have. @module */

import { durableWrite } from "../../../shared/io/durable.ts";
import { ifPresent, readPrivate } from "../../../shared/io/files.ts";
import { UserError } from "../../../shared/cli/program.ts";
import {
  type AuthKey,
  MAX_KEY_FILE_BYTES,
  parseAuthKey,
} from "../../../shared/protocol/auth_key.ts";
import { ProtocolError } from "../../../shared/protocol/refusal.ts";
import { adoptLegacyFolder, type Layout, prepareFolders } from "./layout.ts";

/** @throws {UserError} if there is none, or others could read it, or it is no key */
export async function readKey(layout: Layout): Promise<AuthKey> {
  return await asKey(await readKeyText(layout), `${layout.key} holds no valid key`);
}

/** The key's 64 hex digits. @throws {UserError} as readKey() */
export async function readKeyText(layout: Layout): Promise<string> {
  const text = await readIfThere(layout);
  if (text === undefined) {
    throw new UserError("no key configured. Run: qvm-remote key gen", [
      'then authorise this VM in dom0: "qvm-remote-dom0 authorize VM"',
    ]);
  }
  await asKey(text, `${layout.key} holds no valid key`);
  return text.trim();
}

async function readIfThere(layout: Layout): Promise<string | undefined> {
  const read = () => ifPresent(readPrivate(layout.key, MAX_KEY_FILE_BYTES));
  const text = await read();
  if (text !== undefined) return text;
  await adoptLegacyFolder(layout);
  return await read();
}

/** Puts a key in place, whole or not at all. @throws {UserError} if the text is no key */
export async function writeKey(layout: Layout, untrustedText: string): Promise<AuthKey> {
  const text = untrustedText.trim().toLowerCase();
  const key = await asKey(text, "invalid key (expected 64 hex characters)");
  await prepareFolders(layout);
  await durableWrite(layout.key, text);
  return key;
}

async function asKey(untrustedText: string, complaint: string): Promise<AuthKey> {
  try {
    return await parseAuthKey(untrustedText);
  } catch (error) {
    if (error instanceof ProtocolError) throw new UserError(complaint);
    throw error;
  }
}
