// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A VM whose queue service is this test: a unix socket in the place of qvmremote.Queue, so that
 * every byte the daemon gets, and every byte that is not read, is the test's own choice.
 *
 * @module
 */

import { type AuthKey, parseAuthKey } from "../../shared/protocol/auth_key.ts";
import { toHex } from "../../shared/protocol/bytes.ts";
import { createFrameDecoder } from "../../shared/protocol/frame.ts";
import {
  CAPS_FROM_DOM0,
  decodeFromDom0,
  encodeFromVm,
  type FromDom0,
  type ToDom0,
} from "../../shared/protocol/message.ts";
import { parseVmName, type VmName } from "../../shared/protocol/vm_name.ts";
import type { Installed } from "./installed.ts";

const WAIT_MS = 30_000;
const WAKE_INTERVAL_MS = 30;

export type MessageOf<K extends FromDom0["kind"]> = Extract<FromDom0, { kind: K }>;

/** One qrexec call of the daemon, from the VM's end. */
export interface HostileSession {
  /** What the daemon asked for: "" is a session, else an operator's question. */
  readonly argument: string;
  /** False when the daemon is gone and took no more. */
  send(...parts: readonly Uint8Array[]): Promise<boolean>;
  say(message: ToDom0): Promise<boolean>;
  /** The next message that is wanted; others before it are dropped. @throws if none comes */
  next<K extends FromDom0["kind"]>(
    kind: K,
    isWanted?: (message: MessageOf<K>) => boolean,
  ): Promise<MessageOf<K>>;
  /** The next message of one of these kinds. */
  nextOf<K extends FromDom0["kind"]>(kinds: readonly K[]): Promise<MessageOf<K>>;
  /** Hello both ways. @returns the credit that dom0 gives */
  greet(): Promise<number>;
  /** Nothing is read from now on, until `resume`. */
  pause(): void;
  resume(): void;
  close(): void;
  /** The daemon ended the call. */
  readonly ended: Promise<void>;
}

export interface HostileVm extends AsyncDisposable {
  readonly vm: VmName;
  readonly key: AuthKey;
  readonly keyText: string;
  /** The daemon's next call; it is woken if it leaves this VM alone. */
  session(): Promise<HostileSession>;
  /** The daemon's next call, when it comes by itself. */
  callOfItsOwn(): Promise<HostileSession>;
  /** How many there were. */
  calls(): number;
  /** The daemon's next operator's question; it has to be asked by somebody. */
  question(): Promise<HostileSession>;
}

export interface HostileOptions {
  /** Words for "authorize"; null: no key in dom0. */
  readonly authorize?: readonly string[] | null;
}

export async function hostileVm(
  qubes: Installed,
  name: string,
  { authorize = [] }: HostileOptions = {},
): Promise<HostileVm> {
  const { world } = qubes;
  const keyText = toHex(crypto.getRandomValues(new Uint8Array(32)));
  const path = `${world.vmRoot(name)}/etc/qubes-rpc/qvmremote.Queue`;
  await Deno.remove(path);
  const listener = Deno.listen({ transport: "unix", path });
  const open = new Set<HostileSession>();
  const waiting = {
    session: [] as ((session: HostileSession) => void)[],
    question: [] as ((session: HostileSession) => void)[],
  };
  let calls = 0;
  const accepting = (async () => {
    for await (const conn of listener) {
      calls++;
      readCallLine(conn).then((argument) => {
        const session = startSession(conn, argument);
        open.add(session);
        session.ended.then(() => open.delete(session));
        const taker = waiting[argument === "" ? "session" : "question"].shift();
        if (taker === undefined) session.close(); // nobody plays the VM now
        else taker(session);
      }, () => conn.close());
    }
  })();
  if (authorize !== null) {
    const words = ["authorize", "--grant", "full", ...authorize, name];
    const { code, stderr } = await qubes.dom0(words, keyText);
    if (code !== 0) throw new Error(`authorize ${name}: ${stderr}`);
  }
  const take = (kind: keyof typeof waiting): Promise<HostileSession> =>
    inTime(`a ${kind} with ${name}`, new Promise((resolve) => waiting[kind].push(resolve)));
  return {
    vm: parseVmName(name),
    key: await parseAuthKey(keyText),
    keyText,
    async session() {
      const taken = take("session");
      const timer = setInterval(() => wakeDaemon(world.dom0Root, name), WAKE_INTERVAL_MS);
      try {
        return await taken;
      } finally {
        clearInterval(timer);
      }
    },
    calls: () => calls,
    callOfItsOwn: () => take("session"),
    question: () => take("question"),
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const session of open) session.close();
      await accepting;
    },
  };
}

/** What the daemon sees when a VM starts: its qrexec socket appears. */
function wakeDaemon(dom0Root: string, vm: string): void {
  const link = `${dom0Root}/run/qubes/qrexec.${vm}`;
  const target = Deno.readLinkSync(link);
  const fresh = `${dom0Root}/run/qubes/.${vm}.new`;
  Deno.symlinkSync(target, fresh);
  Deno.renameSync(fresh, link);
}

/** A socket service is told first what is called: "qvmremote.Queue+list dom0" and a NUL. */
async function readCallLine(conn: Deno.Conn): Promise<string> {
  let line = "";
  const byte = new Uint8Array(1);
  while (await conn.read(byte) === 1 && byte[0] !== 0) line += String.fromCharCode(byte[0] ?? 0);
  return /^qvmremote\.Queue(?:\+(\S*))? dom0$/.exec(line)?.[1] ?? "";
}

function startSession(conn: Deno.Conn, argument: string): HostileSession {
  const decoder = createFrameDecoder(CAPS_FROM_DOM0);
  const messages: FromDom0[] = [];
  const over = Promise.withResolvers<void>();
  let isOver = false;
  let changed = Promise.withResolvers<void>();
  let goOn = Promise.withResolvers<void>();
  goOn.resolve();

  const close = (): void => {
    if (isOver) return;
    isOver = true;
    try {
      conn.close();
    } catch {
      // it was closed by a failed write
    }
    over.resolve();
    changed.resolve();
  };
  const read = async (): Promise<void> => {
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      await goOn.promise;
      const got = await conn.read(buffer).catch(() => null);
      if (got === null) return close();
      for (const frame of decoder.push(buffer.subarray(0, got))) {
        messages.push(decodeFromDom0(frame));
      }
      changed.resolve();
      changed = Promise.withResolvers();
    }
  };
  read();

  const send: HostileSession["send"] = async (...parts) => {
    for (const part of parts) {
      for (let at = 0; at < part.length;) {
        const got = await conn.write(part.subarray(at)).catch(() => null);
        if (got === null) return false;
        at += got;
      }
    }
    return true;
  };
  const say: HostileSession["say"] = (message) => send(encodeFromVm(message));
  const take = <K extends FromDom0["kind"]>(
    kinds: readonly K[],
    isWanted: (message: MessageOf<K>) => boolean,
  ): Promise<MessageOf<K>> =>
    inTime(
      `${kinds} from dom0`,
      (async () => {
        for (;;) {
          const message = messages.shift();
          if (message !== undefined && isKind(message, kinds) && isWanted(message)) return message;
          if (message !== undefined) continue;
          if (isOver) throw new Error(`the daemon ended the session before ${kinds}`);
          await changed.promise;
        }
      })(),
    );
  const next: HostileSession["next"] = (kind, isWanted = () => true) => take([kind], isWanted);
  return {
    argument,
    send,
    say,
    next,
    nextOf: (kinds) => take(kinds, () => true),
    async greet() {
      await next("hello");
      await say({ kind: "hello", version: 2 });
      await say({ kind: "capabilities", words: ["ends"] });
      return (await next("credit")).count;
    },
    pause() {
      goOn = Promise.withResolvers();
    },
    resume: () => goOn.resolve(),
    close,
    ended: over.promise,
  };
}

function isKind<K extends FromDom0["kind"]>(
  message: FromDom0,
  kinds: readonly K[],
): message is MessageOf<K> {
  return (kinds as readonly string[]).includes(message.kind);
}

/** @throws if it does not come */
export async function inTime<T>(what: string, work: Promise<T>, ms = WAIT_MS): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms in vain: ${what}`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
