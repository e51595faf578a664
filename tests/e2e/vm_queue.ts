// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The queue of a VM, as its client uses it: publishes requests that are signed with the VM's key
 * and reads the answers, without a start of a program for each.
 *
 * @module
 */

import { type AuthKey, parseAuthKey } from "../../shared/protocol/auth_key.ts";
import { asLatin1, type Bytes, toHex, utf8 } from "../../shared/protocol/bytes.ts";
import {
  makeNonce,
  type Mode,
  PLAIN_REQUEST,
  sealEnvelope,
} from "../../shared/protocol/envelope.ts";
import type { RequestFlag } from "../../shared/protocol/flags.ts";
import { type Outcome, parseMeta, verifyOutcome } from "../../shared/protocol/outcome.ts";
import { makeRequestId, type RequestId } from "../../shared/protocol/request_id.ts";
import { parseVmName, type VmName } from "../../shared/protocol/vm_name.ts";
import type { World } from "../sim/world.ts";

export interface VmAnswer {
  readonly outcome: Outcome;
  readonly stdout: Bytes;
  readonly stderr: Bytes;
}

export interface PublishOptions {
  readonly timeoutMs?: number;
  readonly issuedAtMs?: number;
  readonly mode?: Mode;
  readonly flags?: ReadonlySet<RequestFlag>;
  readonly why?: string | null;
  /** What it brings: put beside the request, as the client does. */
  readonly brings?: Bytes;
}

export interface VmQueue {
  readonly vm: VmName;
  /** The folder ~/.qvm-remote/queue. */
  readonly folder: string;
  publish(script: string | Bytes, options?: PublishOptions): Promise<RequestId>;
  cancel(id: RequestId): void;
  hasAnswer(id: RequestId): boolean;
  /** The whole answer. Throws unless all of it is there, fits together, and is signed. */
  readAnswer(id: RequestId): Promise<VmAnswer>;
  /** Names in one of its folders. */
  names(folder: "pending" | "running" | "results" | "cancel"): readonly string[];
  /** Waits for the answer. */
  answer(id: RequestId, limitMs?: number): Promise<VmAnswer>;
}

/** The VM must have a key. */
export async function openQueue(world: World, vmText: string): Promise<VmQueue> {
  const vm = parseVmName(vmText);
  const base = `${world.vmHome(vm)}/.qvm-remote`;
  const folder = `${base}/queue`;
  const keyOf = async (): Promise<AuthKey> =>
    await parseAuthKey(await Deno.readTextFile(`${base}/auth.key`));
  const key = await keyOf();

  /** Where the files of an answer are: its prefix, or null if there is none. */
  const answerAt = (id: RequestId): string | null => {
    const day = `${id.slice(0, 4)}-${id.slice(4, 6)}-${id.slice(6, 8)}`;
    const places = [`${folder}/results/${id}.`, `${base}/history/${day}/${id}/`];
    return places.find((place) => isThere(`${place}exit`)) ?? null;
  };
  const queue: VmQueue = {
    vm,
    folder,
    async publish(script, options = {}) {
      const { timeoutMs = 60_000, issuedAtMs = Date.now(), mode = "script" } = options;
      const { flags, why } = { ...PLAIN_REQUEST, ...options };
      const random = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
      const id = makeRequestId(issuedAtMs, Deno.pid, random);
      const body = typeof script === "string" ? utf8(script) : script;
      const asked = { id, vm, issuedAtMs, timeoutMs, mode, nonce: makeNonce(), body };
      const payload = options.brings === undefined ? null : {
        bytes: options.brings.length,
        sha256: toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", options.brings))),
      };
      if (options.brings !== undefined) {
        await Deno.mkdir(`${folder}/payloads`, { recursive: true });
        await Deno.writeFile(`${folder}/payloads/${id}`, options.brings, { mode: 0o600 });
      }
      const fields = { ...asked, flags, why, payload };
      const envelope = await sealEnvelope(fields, key);
      await Deno.writeFile(`${folder}/.${id}.new`, envelope, { mode: 0o600 });
      await Deno.rename(`${folder}/.${id}.new`, `${folder}/pending/${id}`);
      return id;
    },
    cancel: (id) => Deno.writeFileSync(`${folder}/cancel/${id}`, new Uint8Array(), { mode: 0o600 }),
    hasAnswer: (id) => answerAt(id) !== null,
    async readAnswer(id) {
      const place = answerAt(id);
      if (place === null) throw new Error(`${vm} has no answer to ${id}`);
      const read = (part: string): Promise<Bytes> => Deno.readFile(place + part);
      const outcome = parseMeta(await read("meta"));
      const complain = (what: string): never => {
        throw new Error(`${vm}, answer to ${id}: ${what}`);
      };
      if (outcome.id !== id) complain(`it is for ${outcome.id}`);
      if (asLatin1(await read("exit")) !== `${outcome.exitCode}`) complain("another exit code");
      if (!await verifyOutcome(key, vm, outcome, asLatin1(await read("mac")))) complain("bad MAC");
      const [stdout, stderr] = [await read("out"), await read("err")];
      for (const [bytes, summary] of [[stdout, outcome.out], [stderr, outcome.err]] as const) {
        const digest = toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
        if (bytes.length !== summary.bytes) complain(`${bytes.length} bytes, not ${summary.bytes}`);
        if (digest !== summary.sha256) complain("other output than was signed");
      }
      return { outcome, stdout, stderr };
    },
    names: (name) => [...Deno.readDirSync(`${folder}/${name}`)].map((entry) => entry.name),
    async answer(id, limitMs = 60_000) {
      for (const deadline = Date.now() + limitMs; !queue.hasAnswer(id);) {
        if (Date.now() > deadline) throw new Error(`${vm}: no answer to ${id} in ${limitMs} ms`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return await queue.readAnswer(id);
    },
  };
  return queue;
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
