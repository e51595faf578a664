// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Archives of the configuration, in a folder of root's: made, looked at, taken back in. What is taken
 * in replaces what has its name; what the archive does not have stays. Before that, what is there goes
 * into an archive of its own.
 *
 * @module
 */

import { dateMs } from "../../shared/io/clock.ts";
import { durableFolder, durableRemove, durableWrite } from "../../shared/io/durable.ts";
import { ifPresent, readPrivate, readSmallText } from "../../shared/io/files.ts";
import { sha256Hex } from "../../shared/io/sha256.ts";
import { UserError } from "../../shared/cli/program.ts";
import { parseAuthKey } from "../../shared/protocol/auth_key.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { secondStamp } from "../../shared/protocol/request_id.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { parsePolicy, type PolicyFiles } from "../policy/parse_policy.ts";
import { readPolicyFolder } from "../policy/policy_folder.ts";
import { parseConfig } from "../settings/config.ts";
import {
  type ArchivedQube,
  archiveText,
  type ConfigArchive,
  parseArchive,
} from "../settings/config_archive.ts";
import { createKeyStore } from "../settings/key_store.ts";
import type { Paths } from "../settings/paths.ts";
import { MAX_CONFIG_BYTES } from "../settings/settings.ts";
import { inTurn } from "../settings/settings_lock.ts";
import { type Acting, recordAction } from "./acting.ts";
import { withText, writePolicyFile } from "./policy_files.ts";
import { listKeys } from "./rights.ts";

export type ArchiveHead = {
  readonly name: string;
  readonly madeMs: number;
  readonly hasKeys: boolean;
  readonly bytes: number;
};

/** One thing that the archive has; null: there is none now. */
export type ArchivedItem = {
  readonly what: "remote.conf" | "policy" | "key";
  /** The file of policy, or the VM. */
  readonly name: string;
  /** Texts; of a key, its fingerprint. */
  readonly before: string | null;
  readonly after: string;
};

export type ArchiveLook = {
  /** Only what would change. */
  readonly items: readonly ArchivedItem[];
  /** How many things are the same already. */
  readonly same: number;
  /** What is there and not in the archive: it stays. */
  readonly stays: readonly string[];
  /** Says at the taking in what the person saw. */
  readonly mark: string;
};

const NAME = /^config-[0-9]{8}-[0-9]{6}(-[0-9]+)?\.json$/;
/** A thousand files of policy would be more; people write them. */
const MAX_ARCHIVE_BYTES = 16 * 1024 * 1024;

/** @param qubes for people; null: not known */
export async function makeArchive(
  acting: Acting,
  withKeys: boolean,
  qubes: readonly ArchivedQube[] | null,
): Promise<string> {
  const { paths } = acting;
  const archive = await inTurn(paths.keyFolder, () => archiveOf(paths, withKeys, qubes));
  const name = await freeName(paths.archivesFolder, archive.madeMs);
  await recordAction(acting, "config-archived", { archive: name, with_keys: withKeys });
  await durableFolder(paths.archivesFolder);
  await durableWrite(`${paths.archivesFolder}/${name}`, archiveText(archive));
  return name;
}

/** Newest first; what is none is left out. */
export async function listArchives(
  { archivesFolder }: Pick<Paths, "archivesFolder">,
): Promise<readonly ArchiveHead[]> {
  const found = await ifPresent(Array.fromAsync(Deno.readDir(archivesFolder), ({ name }) => name));
  const heads = (found ?? []).filter((name) => NAME.test(name)).map(async (name) => {
    const text = await readPrivate(`${archivesFolder}/${name}`, MAX_ARCHIVE_BYTES);
    const { madeMs, keys } = parseArchive(text);
    return { name, madeMs, hasKeys: keys !== null, bytes: text.length };
  });
  const settled = await Promise.allSettled(heads);
  return settled.flatMap((one) => one.status === "fulfilled" ? [one.value] : [])
    .toSorted((a, b) => b.madeMs - a.madeMs || b.name.localeCompare(a.name));
}

/** What taking it in would change. @throws {UserError} it cannot be taken in, and why */
export async function lookAtArchive(
  paths: Paths,
  name: string,
  withKeys: boolean,
): Promise<ArchiveLook> {
  const archive = await readArchive(paths, name);
  const now = await archiveOf(paths, true, null);
  await checkArchive(archive, now.policy);
  const items = await itemsOf(archive, now, withKeys);
  const changed = items.filter(({ before, after }) => before !== after);
  const text = JSON.stringify([name, changed]);
  return {
    items: changed,
    same: items.length - changed.length,
    stays: [
      ...[...now.policy.keys()].filter((file) => !archive.policy.has(file)),
      ...withKeys
        ? now.rights.filter(({ vm }) => !archive.keys?.has(vm)).map(({ vm }) => `key of ${vm}`)
        : [],
    ],
    mark: sha256Hex(text).slice(0, 32),
  };
}

/**
 * @param mark as lookAtArchive() gave it
 * @returns the archive of what was there before
 * @throws {UserError} nothing is taken in, and why
 */
export async function takeInArchive(
  acting: Acting,
  name: string,
  withKeys: boolean,
  mark: string,
): Promise<string> {
  const { paths } = acting;
  const look = await lookAtArchive(paths, name, withKeys);
  if (look.mark !== mark) {
    throw new UserError("what is there changed meanwhile: nothing was taken in; look again");
  }
  if (look.items.length === 0) throw new UserError("all of it is like that already");
  const before = await makeArchive(acting, withKeys, null);
  const archive = await readArchive(paths, name);
  const told = look.items.map(({ what, name }) => `${what} ${name}`.trim());
  await recordAction(acting, "config-taken-in", { archive: name, before, items: told });
  await inTurn(paths.keyFolder, () => putInPlace(acting, archive, look.items));
  return before;
}

/** @throws {UserError} there is none of that name */
export async function removeArchive(acting: Acting, name: string): Promise<void> {
  const path = `${acting.paths.archivesFolder}/${archiveName(name)}`;
  if (await ifPresent(Deno.lstat(path)) === undefined) throw noSuch(name);
  await recordAction(acting, "config-archive-removed", { archive: name });
  await durableRemove(path);
}

function archiveName(name: string): string {
  if (NAME.test(name)) return name;
  throw new UserError(`${printable(name)} is not the name of an archive`, [
    'see "qvm-remote-dom0 archive list"',
  ]);
}

function noSuch(name: string): UserError {
  return new UserError(`there is no archive ${name}`, ['see "qvm-remote-dom0 archive list"']);
}

/** Keys come last: without them the rest has no effect. */
async function putInPlace(
  acting: Acting,
  archive: ConfigArchive,
  items: readonly ArchivedItem[],
): Promise<void> {
  const { paths } = acting;
  const store = createKeyStore(paths.keyFolder);
  for (const { what, name, before, after } of items) {
    if (what === "policy") await writePolicyFile(acting, { file: name, before, text: after });
    if (what === "remote.conf") await durableWrite(paths.config, after);
  }
  for (const [vm, key] of archive.keys ?? []) {
    if (!items.some(({ what, name }) => what === "key" && name === vm)) continue;
    const right = archive.rights.find((one) => one.vm === vm);
    await durableFolder(paths.keyFolder);
    await store.write(vm, key.trim(), right?.acceptsV1 ?? false);
  }
}

async function readArchive({ archivesFolder }: Paths, name: string): Promise<ConfigArchive> {
  const path = `${archivesFolder}/${archiveName(name)}`;
  const text = await ifPresent(readPrivate(path, MAX_ARCHIVE_BYTES));
  if (text === undefined) throw noSuch(name);
  return parseArchive(text);
}

/** All that it has must be good before any of it is put in place. */
async function checkArchive({ config, policy, keys }: ConfigArchive, now: PolicyFiles) {
  let files = now;
  for (const [file, text] of policy) {
    files = withText(new Map([...files, [file, ""]]), { file, text });
  }
  parsePolicy(files);
  const [problem] = parseConfig(config).problems;
  if (problem !== undefined) {
    throw new UserError(`its remote.conf:${problem.line}: ${problem.text}`);
  }
  for (const [vm, key] of keys ?? []) {
    await parseAuthKey(key).catch(() => {
      throw new UserError(`its key of ${vm} is none`);
    });
  }
}

async function archiveOf(
  paths: Paths,
  withKeys: boolean,
  qubes: readonly ArchivedQube[] | null,
): Promise<ConfigArchive> {
  const { keys: rights } = await listKeys(paths);
  const keys = new Map<VmName, string>();
  for (const { vm } of withKeys ? rights : []) {
    keys.set(vm, await createKeyStore(paths.keyFolder).readText(vm) ?? "");
  }
  return {
    madeMs: dateMs(),
    config: await ifPresent(readSmallText(paths.config, MAX_CONFIG_BYTES)) ?? "",
    policy: await readPolicyFolder(paths.policyFolder, Deno.uid()),
    rights: rights.map(({ vm, fingerprint, acceptsV1 }) => ({ vm, fingerprint, acceptsV1 })),
    qubes,
    keys: withKeys ? keys : null,
  };
}

async function itemsOf(
  { config, policy, keys }: ConfigArchive,
  now: ConfigArchive,
  withKeys: boolean,
): Promise<readonly ArchivedItem[]> {
  const items: ArchivedItem[] = [
    { what: "remote.conf", name: "", before: now.config, after: config },
    ...[...policy].map(([name, after]) => {
      const before = now.policy.get(name) ?? null;
      return { what: "policy", name, before, after } as const;
    }),
  ];
  for (const [vm, key] of withKeys ? keys ?? [] : []) {
    const before = now.rights.find((one) => one.vm === vm)?.fingerprint ?? null;
    items.push({ what: "key", name: vm, before, after: (await parseAuthKey(key)).fingerprint });
  }
  return items;
}

async function freeName(folder: string, madeMs: number): Promise<string> {
  const stamp = secondStamp(madeMs);
  for (let turn = 1;; turn++) {
    const name = `config-${stamp}${turn === 1 ? "" : `-${turn}`}.json`;
    if (await ifPresent(Deno.lstat(`${folder}/${name}`)) === undefined) return name;
  }
}
