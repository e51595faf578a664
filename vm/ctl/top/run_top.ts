// SPDX-License-Identifier: GPL-2.0-or-later
/** "openclaw-ctl top": frames on a screen, until a key or a signal ends it. @module */

import { EXIT_OK } from "../../../shared/cli/program.ts";
import type { Scene } from "../scene.ts";
import { drawScreen } from "./draw.ts";
import { type Frame, takeFrame } from "./frame.ts";
import { keyMeaning, openScreen } from "./screen.ts";

const SIGNALS = [["SIGHUP", 129], ["SIGINT", 130], ["SIGQUIT", 131], ["SIGTERM", 143]] as const;

/** @returns the exit code: that of the signal, or 0 */
export async function runTop(scene: Scene, everyMs: number, color: boolean): Promise<number> {
  const ended = Promise.withResolvers<number>();
  let wake = (): void => {};
  for (const [signal, code] of SIGNALS) {
    Deno.addSignalListener(signal, () => ended.resolve(code));
  }
  const screen = openScreen();
  let frame: Frame | null = null;
  const draw = (): void => {
    if (frame !== null) screen.draw(drawScreen(frame, screen.size(), color));
  };
  Deno.addSignalListener("SIGWINCH", draw);
  try {
    readKeys((meaning) => meaning === "quit" ? ended.resolve(EXIT_OK) : wake());
    screen.draw(["openclaw: asking..."]);
    for (;;) {
      const next: Frame | number = await Promise.race([takeFrame(scene, frame), ended.promise]);
      if (typeof next === "number") return next;
      frame = next;
      draw();
      const pause = new Promise<null>((resolve) => {
        const timer = setTimeout(() => resolve(null), everyMs);
        wake = () => (clearTimeout(timer), resolve(null));
      });
      const code = await Promise.race([pause, ended.promise]);
      if (code !== null) return code;
    }
  } finally {
    screen.close();
  }
}

/** Ends with the program: a read of a terminal cannot be given up. */
function readKeys(onKey: (meaning: "quit" | "refresh") => void): void {
  if (!Deno.stdin.isTerminal()) return;
  const read = async (): Promise<void> => {
    const bytes = new Uint8Array(64);
    for (let length; (length = await Deno.stdin.read(bytes)) !== null;) {
      const meaning = keyMeaning(bytes.subarray(0, length));
      if (meaning !== null) onKey(meaning);
    }
    onKey("quit"); // the terminal is gone
  };
  read().catch(() => onKey("quit"));
}
