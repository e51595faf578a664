// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Requests that nobody waits for now: detached/ID holds what is needed to verify the answer, from
 * before the request is sent until `wait` has fetched it. It outlives the client and a reboot of the
 * VM.
 *
 * @module
 */

import { ifPresent, makePrivateFolder, readSmallText } from "../../../shared/io/files.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { removeIfPresent } from "../../../shared/io/sync_files.ts";
import { MAX_TIMEOUT_MS, MIN_TIMEOUT_MS } from "../../../shared/protocol/limits.ts";
import type { RequestId } from "../../../shared/protocol/request_id.ts";
import { parseVmName, type VmName } from "../../../shared/protocol/vm_name.ts";
import { type AnswerForm, isAnswerForm } from "./answer_form.ts";
import { detachedPath, type Layout } from "./layout.ts";
import { writePlain } from "./plain_file.ts";

const MAX_FILE_BYTES = 1024;

export interface Detached {
  readonly id: RequestId;
  /** The request's: the answer must name it. */
  readonly nonce: string;
  /** The name that this VM had. */
  readonly vm: VmName;
  readonly form: AnswerForm;
  readonly timeoutMs: number;
}

export async function writeDetached(layout: Layout, { id, ...kept }: Detached): Promise<void> {
  await makePrivateFolder(layout.detached);
  writePlain(layout, detachedPath(layout, id), JSON.stringify(kept) + "\n");
}

/** undefined: there is no such request, or its answer was fetched. @throws {UserError} */
export async function readDetached(layout: Layout, id: RequestId): Promise<Detached | undefined> {
  const path = detachedPath(layout, id);
  const text = await ifPresent(readSmallText(path, MAX_FILE_BYTES));
  if (text === undefined) return undefined;
  const kept = parseDetached(text);
  if (kept === null) throw new UserError(`${path} does not say what the answer must be`);
  return { id, ...kept };
}

function parseDetached(text: string): Omit<Detached, "id"> | null {
  try {
    const { nonce, vm, form, timeoutMs } = JSON.parse(text);
    const isNonce = typeof nonce === "string" && /^[0-9a-f]{32}$/.test(nonce);
    const isTimeout = Number.isSafeInteger(timeoutMs) && timeoutMs >= MIN_TIMEOUT_MS &&
      timeoutMs <= MAX_TIMEOUT_MS;
    if (!isNonce || !isTimeout || !isAnswerForm(form)) return null;
    return { nonce, vm: parseVmName(String(vm)), form, timeoutMs };
  } catch {
    return null;
  }
}

export function forgetDetached(layout: Layout, id: RequestId): void {
  removeIfPresent(detachedPath(layout, id));
}
