// SPDX-License-Identifier: GPL-2.0-or-later
/** One qrexec call from dom0 into a VM. @module */

import { createSender, type Sender } from "../../shared/io/byte_stream.ts";
import { ifPresentSync } from "../../shared/io/sync_files.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { VmName } from "../../shared/protocol/vm_name.ts";

/** How much of the call's stderr is kept to say why it failed. The rest is read and dropped. */
const KEPT_STDERR_CHARS = 400;

export interface QrexecCall {
  readonly output: ReadableStream<Uint8Array>;
  readonly input: Sender;
  /** Says to the far side that nothing more comes. */
  closeInput(): void;
  /** Ends the local end of the call. The far side notices by its stdin. */
  kill(): void;
  readonly ended: Promise<{ readonly code: number; readonly untrustedStderr: string }>;
}

/** A service of a VM; `argument` is "" for none. Never starts a halted VM: qrexec-client does not. */
export type CallService = (vm: VmName, user: string, argument: string) => QrexecCall;

export const callQueueService: CallService = (vm, user, argument) => {
  const service = `qvmremote.Queue${argument === "" ? "" : `+${argument}`}`;
  const child = new Deno.Command("qrexec-client", {
    args: ["-d", vm, `${user}:QUBESRPC ${service} dom0`],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  let killed = false;
  const kill = (): void => {
    if (killed) return;
    killed = true;
    try {
      child.kill("SIGKILL");
    } catch {
      // it has ended
    }
    writer.abort().catch(() => {});
  };
  const stderr = keepTail(child.stderr);
  return {
    output: child.stdout,
    input: createSender((bytes) => writer.write(bytes), kill),
    closeInput: () => void writer.close().catch(() => {}),
    kill,
    ended: (async () => {
      const { code } = await child.status;
      killed = true;
      return { code, untrustedStderr: await stderr };
    })(),
  };
};

/** An unread stderr would stop stdout too (qrexec copies it with blocking writes). */
async function keepTail(stream: ReadableStream<Uint8Array>): Promise<string> {
  let kept = "";
  try {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      kept = (kept + decoder.decode(chunk, { stream: true })).slice(-KEPT_STDERR_CHARS);
    }
  } catch {
    // the stream broke with the call
  }
  return kept;
}

/** What an exit code of qrexec-client says, for people. */
export function describeExit(code: number, untrustedStderr: string): string {
  const said = untrustedStderr.trim() === "" ? "" : `: ${printable(untrustedStderr.trim(), 160)}`;
  switch (code) {
    case 125:
      return `no connection: the VM is halted, paused or refuses the service${said}`;
    case 127:
      return `the service qvmremote.Queue is not installed in the VM${said}`;
    case 255:
      return `the VM ended during the call${said}`;
    default:
      return `the call ended with code ${code}${said}`;
  }
}

/**
 * Whether a VM is halted for sure: qrexec-daemon keeps a socket qrexec.<vm> for each running VM.
 * False where that folder tells nothing, because no VM at all has one.
 */
export function isSurelyHalted(qrexecFolder: string, vm: VmName): boolean {
  const names = ifPresentSync(() => [...Deno.readDirSync(qrexecFolder)].map(({ name }) => name));
  const sockets = (names ?? []).filter((name) => name.startsWith("qrexec."));
  return sockets.length > 0 && !sockets.includes(`qrexec.${vm}`);
}
