// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A client without its start: publishes signed requests into a VM's queue and waits for the
 * outcome as the real one does, by inotify, many in one process.
 *
 * @module
 */

import { parseAuthKey } from "../../shared/protocol/auth_key.ts";
import { type Bytes, utf8 } from "../../shared/protocol/bytes.ts";
import { encodeCommand, type OperationCall } from "../../shared/protocol/command.ts";
import { makeNonce, PLAIN_REQUEST, sealEnvelope } from "../../shared/protocol/envelope.ts";
import { makeRequestId } from "../../shared/protocol/request_id.ts";
import { parseVmName } from "../../shared/protocol/vm_name.ts";

export interface Publisher {
  /** Resolves when the outcome is there; rejects if its exit code is not 0. */
  run(command: string | OperationCall): Promise<void>;
  close(): void;
}

export async function openPublisher(home: string, vmWord: string): Promise<Publisher> {
  const folder = `${home}/.qvm-remote/queue`;
  const key = await parseAuthKey(await Deno.readTextFile(`${home}/.qvm-remote/auth.key`));
  const vm = parseVmName(vmWord);
  const waiting = new Map<string, () => void>();
  const watcher = Deno.watchFs(`${folder}/results`, { recursive: false });
  (async () => {
    for await (const { paths } of watcher) {
      for (const path of paths) {
        const id = /\/([^/]+)\.exit$/.exec(path)?.[1] ?? "";
        waiting.get(id)?.();
        waiting.delete(id);
      }
    }
  })();
  return {
    async run(command) {
      const random = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
      const issuedAtMs = Date.now();
      const id = makeRequestId(issuedAtMs, Deno.pid, random);
      const fields = {
        id,
        vm,
        issuedAtMs,
        timeoutMs: 10_000,
        mode: typeof command === "string" ? "script" : command.mode,
        nonce: makeNonce(),
        ...PLAIN_REQUEST,
      } as const;
      const envelope = await sealEnvelope({ ...fields, body: bodyOf(command) }, key);
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.set(id, resolve);
      Deno.writeFileSync(`${folder}/.${id}.new`, envelope, { mode: 0o600 });
      Deno.renameSync(`${folder}/.${id}.new`, `${folder}/pending/${id}`);
      await promise;
      const exit = Deno.readTextFileSync(`${folder}/results/${id}.exit`);
      for (const end of ["exit", "meta", "mac", "out", "err"]) {
        Deno.removeSync(`${folder}/results/${id}.${end}`);
      }
      if (exit !== "0") throw new Error(`${id} ended with ${exit}`);
    },
    close: () => watcher.close(),
  };
}

function bodyOf(command: string | OperationCall): Bytes {
  return typeof command === "string" ? utf8(command) : encodeCommand(command);
}
