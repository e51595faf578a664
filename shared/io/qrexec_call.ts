// SPDX-License-Identifier: GPL-2.0-or-later
/** One qrexec call to another domain, as its local program carries it. @module */

import { printable } from "../protocol/printable.ts";
import { createSender, type Sender } from "./byte_stream.ts";
import { ifPresentSync } from "./sync_files.ts";

/** How much of the call's stderr is kept to say why it failed. The rest is read and dropped. */
const KEPT_STDERR_CHARS = 400;
/**
 * The most that a call may write to stderr, however long it lasts. A working service writes next to
 * nothing, and an endless stream would cost this side processor time.
 */
export const MAX_CALL_STDERR_BYTES = 1024 * 1024;

export interface CallEnd {
  readonly code: number;
  readonly untrustedStderr: string;
  /** The call was ended because its stderr passed MAX_CALL_STDERR_BYTES. */
  readonly stderrFlood: boolean;
}

export interface QrexecCall {
  readonly output: ReadableStream<Uint8Array>;
  readonly input: Sender;
  /** Tells the far side that nothing more comes. */
  closeInput(): void;
  /** Ends the local end of the call. The far side notices by its stdin. */
  kill(): void;
  readonly ended: Promise<CallEnd>;
}

/** Starts a program that carries a call: qrexec-client or qrexec-client-vm. */
export function startCall(program: string, args: readonly string[]): QrexecCall {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  writer.closed.catch(() => {}); // a write reports it
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
  const stderr = keepTail(child.stderr, kill);
  return {
    output: child.stdout,
    input: createSender((bytes) => writer.write(bytes), kill),
    closeInput: () => void writer.close().catch(() => {}),
    kill,
    ended: (async () => {
      const { code } = await child.status;
      killed = true;
      return { code, ...await stderr };
    })(),
  };
}

/**
 * An unread stderr would stop stdout too (qrexec copies it with blocking writes).
 *
 * @param onFlood called once, when there is more of it than a call may say
 */
async function keepTail(
  stream: ReadableStream<Uint8Array>,
  onFlood: () => void,
): Promise<Omit<CallEnd, "code">> {
  let [untrustedStderr, bytes] = ["", 0];
  try {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      untrustedStderr = (untrustedStderr + decoder.decode(chunk, { stream: true }))
        .slice(-KEPT_STDERR_CHARS);
      bytes += chunk.length;
      if (bytes <= MAX_CALL_STDERR_BYTES) continue;
      onFlood();
      return { untrustedStderr, stderrFlood: true };
    }
  } catch {
    // the stream broke with the call
  }
  return { untrustedStderr, stderrFlood: false };
}

/**
 * What qrexec's client and Xen's libraries say when this side gets no vchan: the kernel's
 * limit of shared pages is reached (xen_gntalloc.limit), or /dev/xen may not be opened.
 */
const LOCAL_FAILURE =
  /\b(Failed to start data vchan server|Data vchan connection failed|(gntshr|gnttab|xencall|xenevtchn|evtchn|xenforeignmemory): error)\b/;

/**
 * Whether a call that never began failed on this side. A VM can write the same words to stderr: it
 * is a hint for people and for how soon to try again, and nothing is allowed by it.
 */
export function isLocalFailure({ code, untrustedStderr }: CallEnd): boolean {
  return code === 125 && LOCAL_FAILURE.test(untrustedStderr);
}

/** What the call's stderr said, for the end of a sentence; "" if nothing. */
export function saidOnStderr(untrustedStderr: string): string {
  const text = untrustedStderr.trim();
  return text === "" ? "" : `: ${printable(text, 160)}`;
}

/**
 * Whether a VM is halted for sure: qrexec-daemon keeps a socket qrexec.<vm> for each running VM.
 * False also where that folder tells nothing, because no VM has a socket there.
 */
export function isSurelyHalted(qrexecFolder: string, vm: string): boolean {
  const sockets = qrexecSockets(qrexecFolder);
  return sockets.length > 0 && !sockets.includes(`qrexec.${vm}`);
}

/** Whether the VM has its socket, so that it runs or did a moment ago. */
export function hasQrexecSocket(qrexecFolder: string, vm: string): boolean {
  return qrexecSockets(qrexecFolder).includes(`qrexec.${vm}`);
}

/** A different text for each start of the VM; "" while it has no socket. */
export function qrexecIncarnation(qrexecFolder: string, vm: string): string {
  const info = ifPresentSync(() => Deno.lstatSync(`${qrexecFolder}/qrexec.${vm}`));
  return info === undefined ? "" : `${info.ino} ${info.mtime?.getTime()}`;
}

function qrexecSockets(qrexecFolder: string): readonly string[] {
  const names = ifPresentSync(() => [...Deno.readDirSync(qrexecFolder)].map(({ name }) => name));
  return (names ?? []).filter((name) => name.startsWith("qrexec."));
}
