// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Parts of the daemon, each measured in a Deno of its own with the flags that the daemon's has: they
 * take V8's fast compilers away.
 *
 * @module
 */

import { programOf } from "../../shared/packaging/programs.ts";
import { PROJECT } from "../e2e/program_flags.ts";
import type { Add, Figure } from "./measure.ts";

const PARTS = ["measure-deciding.ts", "measure-anchor.ts"];

export async function benchDaemonParts(add: Add): Promise<void> {
  const { v8 = [] } = programOf("dom0", "qvm-remote-dom0");
  for (const part of PARTS) {
    const { stdout, success } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--no-check", "--quiet", `--config=${PROJECT}/deno.json`],
        ...[`--v8-flags=${v8.join(",")}`, `${PROJECT}/tests/bench/${part}`],
      ],
      stderr: "inherit",
    }).output();
    if (!success) throw new Error(`${part} failed`);
    const figures: readonly Figure[] = JSON.parse(new TextDecoder().decode(stdout));
    figures.forEach(add);
  }
}
