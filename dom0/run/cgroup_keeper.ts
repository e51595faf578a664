// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One bash that lives as long as the daemon and acts on cgroups. It is started before any command could
 * use up all processes. If something ends it, the next one goes on watching what it watched.
 *
 * @module
 */

import { textLines } from "../../shared/io/lines.ts";
import { utf8 } from "../../shared/protocol/bytes.ts";
import { CGROUP_KEEPER, CLEAN_ENV, KEEPER_END, NAME } from "./warden.ts";

/** Between attempts to start it again while there is something to watch. */
const RESTART_MS = 100;

export interface CgroupKeeper {
  /**
   * @param verb see CGROUP_KEEPER
   * @returns its one line @throws {Error} if it has ended; the next call starts another
   */
  ask(verb: string, cgroup: string): Promise<string>;
  /** Kills the cgroup whenever it has too many processes, until settled. */
  watch(cgroup: string, most: string): void;
  /** @returns see SETTLE @throws {Error} as ask() */
  settle(cgroup: string): Promise<string>;
  close(): void;
}

/**
 * @param folder all cgroups that it is asked about are in it, or are this one itself
 * @param lookSeconds between two looks at what is watched
 */
export function createCgroupKeeper(folder: string, lookSeconds: number): CgroupKeeper {
  const nameOf = (cgroup: string): string => cgroup.slice(folder.length + 1) || ".";
  const watched = new Map<string, string>();
  let current: Keeper | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;

  const watchAgain = (): void => {
    timer = undefined;
    try {
      if (!closed && watched.size > 0) running();
    } catch {
      timer ??= setTimeout(watchAgain, RESTART_MS);
    }
  };
  const running = (): Keeper => {
    if (current !== null) return current;
    const keeper = startKeeper(folder, lookSeconds, () => {
      current = null;
      if (!closed) timer ??= setTimeout(watchAgain, RESTART_MS);
    });
    current = keeper;
    for (const [cgroup, most] of watched) {
      keeper.ask(`WATCH ${most} ${nameOf(cgroup)}`).catch(() => {});
    }
    return keeper;
  };
  const ask = async (verb: string, cgroup: string): Promise<string> =>
    await running().ask(`${verb} ${nameOf(cgroup)}`);
  return {
    ask,
    watch(cgroup, most) {
      const isNew = current !== null;
      watched.set(cgroup, most);
      try {
        const keeper = running(); // a new one is told of all
        if (isNew) keeper.ask(`WATCH ${most} ${nameOf(cgroup)}`).catch(() => {});
      } catch {
        timer ??= setTimeout(watchAgain, RESTART_MS);
      }
    },
    async settle(cgroup) {
      const answer = await ask("SETTLE", cgroup);
      if (!answer.startsWith("busy ")) watched.delete(cgroup);
      return answer;
    },
    close() {
      closed = true;
      clearTimeout(timer);
      current?.close();
    },
  };
}

interface Keeper {
  ask(line: string): Promise<string>;
  close(): void;
}

function startKeeper(folder: string, lookSeconds: number, onEnd: () => void): Keeper {
  const look = [String(lookSeconds), String(Math.round(lookSeconds * 1e6))];
  const child = new Deno.Command("/bin/bash", {
    args: ["-c", CGROUP_KEEPER, NAME, folder, ...look],
    clearEnv: true,
    env: CLEAN_ENV,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  const waiting: PromiseWithResolvers<string>[] = [];
  let ended = false;
  const end = (): void => {
    if (!ended) onEnd();
    ended = true;
    for (const { reject } of waiting.splice(0)) reject(new Error("the cgroup keeper has ended"));
  };
  const answer = async (): Promise<void> => {
    const text = child.stdout.pipeThrough(new TextDecoderStream());
    for await (const line of text.pipeThrough(textLines())) waiting.shift()?.resolve(line);
  };
  answer().catch(() => {}).finally(end);
  return {
    ask(line) {
      const asked = Promise.withResolvers<string>();
      waiting.push(asked);
      writer.write(utf8(`${line}${KEEPER_END}\n`)).catch(end);
      return asked.promise;
    },
    close: () => void writer.close().catch(() => {}),
  };
}
