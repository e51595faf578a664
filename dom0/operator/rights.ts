// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Which VMs may send requests: a key, a place in the list of VMs, and a file of rules. When an
 * action returns, the change is on the disk, and in force in the running daemon.
 *
 * @module
 */

import { durableFolder, durableRemove, durableWrite } from "../../shared/io/durable.ts";
import { ifPresent, readSmallText } from "../../shared/io/files.ts";
import { UserError } from "../../shared/cli/program.ts";
import { type AuthKey, parseAuthKey } from "../../shared/protocol/auth_key.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";
import { waitForState } from "../daemon/state_file.ts";
import { grantFileName, type GrantLevel, grantText, type Scope } from "../policy/grant_file.ts";
import { askQueue } from "../session/queue_question.ts";
import { parseConfig, withVmList } from "../settings/config.ts";
import { createKeyStore } from "../settings/key_store.ts";
import type { Paths } from "../settings/paths.ts";
import { MAX_CONFIG_BYTES } from "../settings/settings.ts";
import { inTurn } from "../settings/settings_lock.ts";
import { type Acting, recordAction } from "./acting.ts";

/** What a VM gets with its key. */
export interface Right {
  readonly grant: GrantLevel;
  readonly scope: Scope;
  readonly acceptsV1: boolean;
}

/** Whether the running daemon shows the change, in time; null: no daemon runs. */
export type InForce = boolean | null;

/** @throws {UserError} the text is no key */
export async function giveRight(
  acting: Acting,
  vm: VmName,
  keyText: string,
  { grant, scope, acceptsV1 }: Right,
): Promise<{ readonly fingerprint: string; readonly inForce: InForce }> {
  const { paths } = acting;
  const { fingerprint } = await parseKey(keyText);
  const given = { grant, ...(scope === null ? {} : { scope: `@tag:${scope.tag}` }) };
  await recordAction(acting, "authorize", { vm, fingerprint, ...given, accept_v1: acceptsV1 });
  await durableFolder(paths.keyFolder);
  await inTurn(paths.keyFolder, async () => {
    // The key comes last: without it the rest has no effect.
    await durableFolder(paths.policyFolder);
    const file = `${paths.policyFolder}/${grantFileName(vm)}`;
    await durableWrite(file, grantText(vm, grant, scope));
    await changeVmList(paths, (vms) => vms.includes(vm) ? vms : [...vms, vm]);
    await createKeyStore(paths.keyFolder).write(vm, keyText.trim(), acceptsV1);
  });
  return {
    fingerprint,
    inForce: await daemonShows(paths, (known) => known.get(vm) === fingerprint),
  };
}

/**
 * At once: what the VM has running is killed.
 *
 * @returns whether it had one
 * @throws {UserError} the daemon that runs still shows the VM
 */
export async function takeRight(
  acting: Acting,
  vm: VmName,
  action: "revoke" | "disconnect",
): Promise<{ readonly hadKey: boolean; readonly inForce: InForce }> {
  const { paths } = acting;
  const hadKey = await inTurn(paths.keyFolder, async () => {
    // The key first: from then on the VM can do nothing, whatever fails below.
    const had = await createKeyStore(paths.keyFolder).remove(vm);
    await recordAction(acting, action, { vm, had_key: had });
    await durableRemove(`${paths.policyFolder}/${grantFileName(vm)}`);
    await changeVmList(paths, (vms) => vms.filter((other) => other !== vm));
    return had;
  });
  if (!hadKey) return { hadKey, inForce: null };
  const inForce = await daemonShows(paths, (known) => !known.has(vm));
  if (inForce !== false) return { hadKey, inForce };
  throw new UserError(`the key of ${vm} is removed, but the daemon still shows the VM`, [
    'run "systemctl restart qvm-remote-dom0"',
  ]);
}

/** Takes back the rules that giveRight() wrote. The key stays, and without rules all is refused. */
export async function takeRules(acting: Acting, vm: VmName): Promise<void> {
  const { paths } = acting;
  await inTurn(paths.keyFolder, async () => {
    await recordAction(acting, "take-rules", { vm });
    await durableRemove(`${paths.policyFolder}/${grantFileName(vm)}`);
  });
}

/** From the running VM. @throws {UserError} it does not answer, or with no key */
export async function fetchKey(
  vm: VmName,
): Promise<{ readonly text: string; readonly fingerprint: string }> {
  const answer = await askQueue(vm, "key");
  if (answer.kind !== "key") throw new UserError(`${vm} answered with something that is not a key`);
  const { fingerprint } = await parseKey(answer.untrustedText);
  return { text: answer.untrustedText, fingerprint };
}

export interface KeyOfVm {
  readonly vm: VmName;
  readonly fingerprint: string;
  readonly acceptsV1: boolean;
}

export interface Keys {
  readonly keys: readonly KeyOfVm[];
  /** Of a key that is not used. */
  readonly faults: readonly { readonly vm: VmName; readonly message: string }[];
}

export async function listKeys({ keyFolder }: Pick<Paths, "keyFolder">): Promise<Keys> {
  const keyStore = createKeyStore(keyFolder);
  const keys: KeyOfVm[] = [];
  const faults: { vm: VmName; message: string }[] = [];
  for (const vm of await keyStore.list()) {
    try {
      const stored = await keyStore.read(vm);
      if (stored === undefined) continue;
      keys.push({ vm, fingerprint: stored.key.fingerprint, acceptsV1: stored.acceptsV1 });
    } catch (error) {
      if (!(error instanceof UserError) && !(error instanceof ProtocolError)) throw error;
      faults.push({ vm, message: error.message });
    }
  }
  return { keys, faults };
}

async function parseKey(untrustedText: string): Promise<AuthKey> {
  try {
    return await parseAuthKey(untrustedText);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UserError("invalid key (expected 64 hex characters)", [
      'in the VM, "qvm-remote key show" prints it',
    ]);
  }
}

async function changeVmList(
  { config: file }: Paths,
  change: (vms: readonly VmName[]) => readonly VmName[],
): Promise<void> {
  const text = await ifPresent(readSmallText(file, MAX_CONFIG_BYTES)) ?? "";
  const { config, problems } = parseConfig(text);
  const first = problems[0];
  if (first !== undefined) {
    throw new UserError(`${file}:${first.line}: ${first.text}`, ["correct it, then try again"]);
  }
  const vms = change(config.vms);
  if (vms !== config.vms) await durableWrite(file, withVmList(text, vms));
}

function daemonShows(
  paths: Paths,
  wanted: (fingerprints: ReadonlyMap<VmName, string>) => boolean,
): Promise<InForce> {
  return waitForState(
    paths,
    ({ vms }) => wanted(new Map(vms.map(({ vm, fingerprint }) => [vm, fingerprint]))),
  );
}
