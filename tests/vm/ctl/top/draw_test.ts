// SPDX-License-Identifier: GPL-2.0-or-later
/** The screen of top, for every size, and the keys. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { drawScreen, drawText } from "../../../../vm/ctl/top/draw.ts";
import type { Frame } from "../../../../vm/ctl/top/frame.ts";
import { keyMeaning } from "../../../../vm/ctl/top/screen.ts";

const FRAME: Frame = {
  atMs: 1795338371163,
  snapshot: {
    settings: {
      ...{ role: "agent", provider: "multi", keyQube: true, units: "user" },
      ...{ proxyPort: 32125, gatewayPort: 18789 },
    },
    proxy: {
      ...{ verdict: { kind: "degraded", text: "x".repeat(300) }, untrustedVersion: "2\x1b[2J" },
      answer: { kind: "unreachable" },
      ...{ url: "u", untrustedModels: ["a\x1b", "b"], activeRequests: 1, requests: 7, spend: 0.5 },
      providers: [{
        name: "p\x1b[31m",
        kind: "openai",
        state: "open",
        keyRefused: false,
        keyMissing: false,
      }],
    },
    gateway: {
      ...{ verdict: { kind: "ok" }, untrustedVersion: "3", url: "u" },
      answer: { kind: "unreachable" },
    },
    units: [{
      ...{ part: "gateway", unit: "openclaw-gateway.service", scope: "user", load: "loaded" },
      ...{ active: "failed", sub: "failed", file: "enabled", exitStatus: 1, restarts: 2 },
      ...{ memoryBytes: 9e8, cpuMs: 1, activeSinceMs: null },
    }],
    ...{ unitsError: null, tunnels: [], flags: null },
  },
  ...{ today: null, requestsPerMinute: 3, logsError: null },
  logs: Array.from({ length: 60 }, (_, at) => ({
    ...{ at: "2026-11-22T09:06:11.163Z", part: "proxy" as const, priority: 3, text: `line ${at}` },
  })),
};

Deno.test("a screen has exactly its rows, and no line is wider than its columns", () => {
  for (const color of [true, false]) {
    for (const columns of [1, 2, 20, 80, 200]) {
      for (const rows of [1, 2, 5, 24, 100]) {
        const lines = drawScreen(FRAME, { columns, rows }, color);
        assertEquals(lines.length, rows);
        for (const line of lines) {
          // deno-lint-ignore no-control-regex -- our own colours
          const plain = line.replace(/\x1b\[[0-9]{1,2}m/g, "");
          assert(plain.length <= columns && /^[\x20-\x7e]*$/.test(plain), JSON.stringify(line));
          assert(color || plain === line);
        }
      }
    }
  }
});

Deno.test("the newest log lines are the ones that fit, and the last row says how to leave", () => {
  const lines = drawScreen(FRAME, { columns: 100, rows: 24 }, false);
  assertStringIncludes(lines.at(-1) ?? "", "q quits");
  assertStringIncludes(lines.at(-2) ?? "", "line 59");
});

Deno.test("as text there is all of it", () => {
  const text = drawText(FRAME);
  for (const part of ["left alone", "3.0 a minute", "$0.5000", "no tunnel runs", "line 0"]) {
    assertStringIncludes(text, part);
  }
  assert(/^[\x20-\x7e\n]*$/.test(text));
});

Deno.test("keys", () => {
  const meaning = (text: string) => keyMeaning(new TextEncoder().encode(text));
  for (const key of ["q", "Q", "\x03", "\x04", "\x1b"]) assertEquals(meaning(key), "quit");
  for (const key of ["r", " "]) assertEquals(meaning(key), "refresh");
  for (const key of ["\x1b[A", "\x1bOq", "x", "\x1a", "ä"]) assertEquals(meaning(key), null);
});
