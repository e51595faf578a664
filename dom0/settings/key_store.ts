// SPDX-License-Identifier: GPL-2.0-or-later
/** The keys of the VMs that may send commands: /etc/qubes/remote.d/<vm>.key. @module */

import { UserError } from "../../shared/cli/program.ts";
import {
  durableFolder,
  durableRemove,
  durableWrite,
  syncFolderOf,
} from "../../shared/io/durable.ts";
import { exists, ifPresent, makePrivateFolder, readPrivate } from "../../shared/io/files.ts";
import { type AuthKey, MAX_KEY_FILE_BYTES, parseAuthKey } from "../../shared/protocol/auth_key.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import { parseVmName, type VmName } from "../../shared/protocol/vm_name.ts";

/** What an authorised VM may do with its key. */
export interface StoredKey {
  readonly key: AuthKey;
  readonly acceptsV1: boolean;
}

/** Whether both let the VM do the same, with the same key. */
export function isSameRight(one: StoredKey, other: StoredKey | undefined): boolean {
  return one.key.fingerprint === other?.key.fingerprint && one.acceptsV1 === other.acceptsV1;
}

export interface KeyStore {
  /** undefined: the VM is not authorised. Throws if the file is not private, or not a key. */
  read(vm: VmName): Promise<StoredKey | undefined>;
  /** What is in the file, for an archive that somebody wants with it. */
  readText(vm: VmName): Promise<string | undefined>;
  write(vm: VmName, keyText: string, acceptsV1: boolean): Promise<void>;
  /** False if there was none. */
  remove(vm: VmName): Promise<boolean>;
  list(): Promise<readonly VmName[]>;
}

export function createKeyStore(folder: string): KeyStore {
  const keyFile = (vm: VmName): string => `${folder}/${vm}.key`;
  const v1File = (vm: VmName): string => `${folder}/${vm}.accept-v1`;
  return {
    async read(vm) {
      const text = await ifPresent(readPrivate(keyFile(vm), MAX_KEY_FILE_BYTES));
      if (text === undefined) return undefined;
      return { key: await parseAuthKey(text), acceptsV1: await exists(v1File(vm)) };
    },
    readText: (vm) => ifPresent(readPrivate(keyFile(vm), MAX_KEY_FILE_BYTES)),
    async write(vm, keyText, acceptsV1) {
      await durableFolder(folder);
      await makePrivateFolder(folder);
      // The weaker right is taken away before the key is there, and given after it.
      await durableRemove(v1File(vm));
      if (!await holds(keyFile(vm), keyText)) await durableWrite(keyFile(vm), keyText);
      if (acceptsV1) await durableWrite(v1File(vm), "");
    },
    async remove(vm) {
      const had = await durableRemove(keyFile(vm));
      await durableRemove(v1File(vm));
      return had;
    },
    async list() {
      const names: VmName[] = [];
      if (!await exists(folder)) return names;
      for await (const { name } of Deno.readDir(folder)) {
        const vm = name.endsWith(".key") ? nameOrNull(name.slice(0, -4)) : null;
        if (vm !== null) names.push(vm);
      }
      return names.sort();
    },
  };
}

/** Whether the key is there, and private: then it stays as it is, the original's, too. */
async function holds(path: string, keyText: string): Promise<boolean> {
  try {
    const text = await ifPresent(readPrivate(path, MAX_KEY_FILE_BYTES));
    if (text?.trim() !== keyText) return false;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
  using file = await Deno.open(path, { read: true });
  await file.sync();
  await syncFolderOf(path);
  return true;
}

function nameOrNull(text: string): VmName | null {
  try {
    return parseVmName(text);
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}
