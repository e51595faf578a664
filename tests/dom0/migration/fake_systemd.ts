// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A systemctl in memory, over unit files in a folder. As the real one it goes by what it read at its
 * last daemon-reload, and the file in /etc hides the one in /usr/lib.
 *
 * @module
 */

import type { Tools } from "../../../shared/setup/tools.ts";

const FOLDERS = ["etc/systemd/system", "usr/lib/systemd/system"];

export interface FakeSystemd {
  readonly tools: Tools;
  readonly active: Set<string>;
  readonly enabled: Set<string>;
  /** Each call that changed something. */
  readonly calls: string[];
  /** What pgrep finds. */
  pids: readonly number[];
  /** Of the daemon's unit; 0: it does not run. */
  mainPid: number;
  /** Called around each change: may throw. */
  onChange: (moment: "before" | "after", words: string) => void;
  /** The file that a unit would be started from; undefined: none. */
  fileOf(unit: string): string | undefined;
  reload(): void;
}

export function fakeSystemd(root: string): FakeSystemd {
  let loaded: ReadonlyMap<string, string> = new Map();
  const read = (): ReadonlyMap<string, string> =>
    new Map(
      FOLDERS.toReversed().flatMap((folder) =>
        namesIn(`${root}/${folder}`).map((name) => [name, `/${folder}/${name}`] as const)
      ),
    );
  const systemd: FakeSystemd = {
    active: new Set(),
    enabled: new Set(),
    calls: [],
    pids: [],
    mainPid: 0,
    onChange() {},
    fileOf: (unit) => loaded.get(unit),
    reload: () => void (loaded = read()),
    tools: {
      run({ argv: [program, verb = "", ...words] }) {
        if (program === "pgrep") return end(systemd.pids.map((pid) => `${pid}\n`).join(""));
        if (program !== "systemctl") throw new Error(`${program} is not expected`);
        const units = words.filter((word) => !word.startsWith("-"));
        const [unit = ""] = units;
        if (verb === "is-active") return state(systemd.active.has(unit), "active", "inactive");
        if (verb === "is-enabled") return state(systemd.enabled.has(unit), "enabled", "disabled");
        if (verb === "show") return end(`${systemd.mainPid}\n`);
        const call = [verb, ...words].join(" ");
        systemd.onChange("before", call);
        if (verb === "daemon-reload") systemd.reload();
        for (const one of units) {
          if (!loaded.has(one)) return end("", 5, `Unit ${one} not found.`);
          change(systemd, verb, one, words.includes("--now"));
        }
        systemd.calls.push(call);
        systemd.onChange("after", call);
        return end("");
      },
    },
  };
  return systemd;
}

function change({ active, enabled }: FakeSystemd, verb: string, unit: string, now: boolean): void {
  if (verb === "enable") enabled.add(unit);
  else if (verb === "disable") enabled.delete(unit);
  if (verb === "start" || verb === "enable" && now) active.add(unit);
  else if (verb === "stop" || verb === "disable" && now) active.delete(unit);
}

function namesIn(folder: string): readonly string[] {
  try {
    return Array.from(Deno.readDirSync(folder), ({ name }) => name);
  } catch {
    return [];
  }
}

const end = (stdout: string, code = 0, stderr = "") => Promise.resolve({ code, stdout, stderr });
const state = (isSo: boolean, yes: string, no: string) => end(`${isSo ? yes : no}\n`, isSo ? 0 : 1);
