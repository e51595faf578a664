// SPDX-License-Identifier: GPL-2.0-or-later
/** "openclaw-ctl cron": OpenClaw's own command, its output made safe for a terminal. @module */

import { runOpenclaw } from "../openclaw_program.ts";
import type { Outcome, Scene } from "../scene.ts";
import { shownLines } from "../text.ts";

export async function cron(
  scene: Scene,
  words: readonly string[],
): Promise<Outcome & { readonly errorText: string }> {
  const { code, untrustedOut, untrustedErr } = await runOpenclaw(scene, ["cron", ...words]);
  return {
    ok: code === 0,
    json: { exitCode: code, output: jsonOr(untrustedOut) },
    text: untrustedOut === "" ? "" : shownLines(untrustedOut),
    errorText: untrustedErr === "" ? "" : shownLines(untrustedErr),
  };
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
