// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One bash that lives as long as the daemon and does to cgroups what is asked of it. It is
 * there before a command can take every process that is to be had.
 *
 * @module
 */

import { CGROUP_KEEPER, CLEAN_ENV, NAME } from "./warden.ts";

export type KeeperVerb = "TERM" | "KILL" | "COUNT" | "SETTLE";

export interface CgroupKeeper {
  /** @returns its one line @throws {Error} if it has ended; the next call starts another */
  ask(verb: KeeperVerb, cgroup: string): Promise<string>;
  close(): void;
}

export function createCgroupKeeper(): CgroupKeeper {
  let current: Keeper | null = null;
  return {
    ask(verb, cgroup) {
      current ??= startKeeper(() => current = null);
      return current.ask(`${verb} ${cgroup}\n`);
    },
    close: () => current?.close(),
  };
}

interface Keeper {
  ask(line: string): Promise<string>;
  close(): void;
}

function startKeeper(onEnd: () => void): Keeper {
  const child = new Deno.Command("/bin/bash", {
    args: ["-c", CGROUP_KEEPER, NAME],
    clearEnv: true,
    env: CLEAN_ENV,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  const waiting: PromiseWithResolvers<string>[] = [];
  const end = (): void => {
    onEnd();
    for (const { reject } of waiting.splice(0)) reject(new Error("the cgroup keeper has ended"));
  };
  const answer = async (): Promise<void> => {
    let text = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (text + chunk).split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) waiting.shift()?.resolve(line);
    }
  };
  answer().catch(() => {}).finally(end);
  return {
    ask(line) {
      const asked = Promise.withResolvers<string>();
      waiting.push(asked);
      writer.write(new TextEncoder().encode(line)).catch(end);
      return asked.promise;
    },
    close: () => void writer.close().catch(() => {}),
  };
}
