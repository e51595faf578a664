// SPDX-License-Identifier: GPL-2.0-or-later
/** A dom0 in a folder in which the original runs, and this project was installed over it. @module */

import { migrate } from "../../../dom0/cli/commands/migrate.ts";
import type { Operator } from "../../../dom0/cli/operator.ts";
import { dom0Paths, type Paths } from "../../../dom0/settings/paths.ts";
import { formatUserError, UserError } from "../../../shared/cli/program.ts";
import { installOriginalDom0, type OriginalDom0, PYTHON_PROGRAM } from "../../original.ts";
import { KEY_TEXT, OTHER_KEY_TEXT, withFolder } from "../fixture.ts";
import { type FakeSystemd, fakeSystemd } from "./fake_systemd.ts";

export const KEYS = { work: KEY_TEXT, lab: OTHER_KEY_TEXT };
const UNITS = [
  ...["qvm-remote-dom0.service", "qubes-global-admin-web.service"],
  "qubes-admin-watchdog.timer",
];

export interface Ended {
  readonly code: number;
  /** On both streams. */
  readonly said: string;
}

export interface Scene {
  readonly root: string;
  readonly paths: Paths;
  readonly systemd: FakeSystemd;
  migrate(...words: string[]): Promise<Ended>;
  /** Called with all that is printed: may throw. */
  onPrint: (text: string) => void;
  operator(): Operator;
}

/** @param installed null: no original was ever here */
export async function withOriginal(
  test: (scene: Scene) => Promise<void>,
  installed: OriginalDom0 | null = { keys: KEYS },
): Promise<void> {
  await withFolder(async (root) => {
    if (installed !== null) await installOriginalDom0(root, installed);
    const systemd = fakeSystemd(root);
    await installOwn(root);
    systemd.reload();
    for (const unit of installed === null ? [] : UNITS) {
      systemd.active.add(unit);
      systemd.enabled.add(unit);
    }
    const scene: Scene = {
      root,
      systemd,
      paths: dom0Paths(root),
      onPrint() {},
      operator: () => operatorOf(scene, () => {}),
      async migrate(...words) {
        let said = "";
        const operator = operatorOf(scene, (text) => void (said += text));
        try {
          const code = await migrate(operator, words, systemd.tools);
          return { code, said };
        } catch (error) {
          if (!(error instanceof UserError)) throw error;
          return { code: error.exitCode, said: said + formatUserError("qvm-remote-dom0", error) };
        }
      },
    };
    await test(scene);
  });
}

function operatorOf(scene: Scene, add: (text: string) => void): Operator {
  const print = (text: string): void => {
    add(text);
    scene.onPrint(text);
  };
  return {
    paths: scene.paths,
    needsRoot: false,
    environment: new Map(),
    isTerminal: false,
    invokedBy: "ann",
    print,
    warn: print,
    ask: () => null,
    askSecret: () => Promise.reject(new Error("no secret is asked for")),
  };
}

const OWN_PROGRAM = "#!/bin/sh\nexec true\n";

/** The programs that this project has, too: whose they are now. */
export function putPrograms({ root }: Pick<Scene, "root">, whose: "own" | "original"): void {
  for (const name of ["qvm-remote-dom0", "qubes-global-admin-web"]) {
    const text = whose === "own" ? OWN_PROGRAM : PYTHON_PROGRAM;
    Deno.writeTextFileSync(`${root}/usr/bin/${name}`, text);
  }
}

/** The programs have the same names: the original's are overwritten. */
async function installOwn(root: string): Promise<void> {
  const units = `${root}/usr/lib/systemd/system`;
  const policy = `${root}/etc/qubes/remote-policy.d`;
  for (const folder of [units, `${root}/usr/bin`, policy, `${root}/var/lib`]) {
    await Deno.mkdir(folder, { recursive: true });
  }
  for (const name of ["qvm-remote-dom0", "qubes-global-admin-web"]) {
    const text = `[Service]\nType=notify\nExecStart=/usr/bin/${name}\n`;
    await Deno.writeTextFile(`${units}/${name}.service`, text);
  }
  putPrograms({ root }, "own");
}
