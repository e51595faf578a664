// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The terminal, borrowed: the second screen, no cursor, keys as they are pressed. It is given
 * back as it was by close(), which may be called twice.
 *
 * @module
 */

import { writeAll } from "../../../shared/cli/program.ts";
import type { Size } from "./draw.ts";

const ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE = "\x1b[0m\x1b[?25h\x1b[?1049l";
const FALLBACK: Size = { columns: 80, rows: 24 };

export interface Screen {
  size(): Size;
  draw(lines: readonly string[]): void;
  close(): void;
}

export function openScreen(): Screen {
  const keys = Deno.stdin.isTerminal();
  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    writeAll(Deno.stdout, LEAVE);
    if (keys) Deno.stdin.setRaw(false);
  };
  addEventListener("unload", close); // whatever ends the program but SIGKILL
  // Ctrl-C and Ctrl-Z come as keys: a program that is stopped would leave its screen behind.
  if (keys) Deno.stdin.setRaw(true);
  writeAll(Deno.stdout, ENTER);
  return {
    size() {
      try {
        const { columns, rows } = Deno.consoleSize();
        return columns > 0 && rows > 0 ? { columns, rows } : FALLBACK;
      } catch {
        return FALLBACK;
      }
    },
    draw(lines) {
      if (!open) return;
      writeAll(
        Deno.stdout,
        "\x1b[H" + lines.map((line) => `${line}\x1b[K`).join("\r\n") + "\x1b[J",
      );
    },
    close,
  };
}

const ESCAPE = 0x1b;
const QUIT: ReadonlySet<number> = new Set([0x03, 0x04, 0x51, 0x71]); // Ctrl-C, Ctrl-D, Q, q
const REFRESH: ReadonlySet<number> = new Set([0x20, 0x52, 0x72]); // space, R, r

/** What the pressed key means; Escape alone quits, the escape sequence of another key does not. */
export function keyMeaning(bytes: Uint8Array): "quit" | "refresh" | null {
  if (bytes[0] === ESCAPE) return bytes.length === 1 ? "quit" : null;
  if (bytes.some((byte) => QUIT.has(byte))) return "quit";
  return bytes.some((byte) => REFRESH.has(byte)) ? "refresh" : null;
}
