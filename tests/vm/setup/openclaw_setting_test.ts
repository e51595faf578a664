// SPDX-License-Identifier: GPL-2.0-or-later
/** A setting of openclaw.json changes, and nothing else in it does. */

import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../../shared/cli/program.ts";
import { NOT_PLAIN, settingOf, withSetting } from "../../../vm/setup/openclaw_setting.ts";

const PATH = "/home/user/.openclaw/openclaw.json";
const KEY = "mcp.servers.qubes";
const ENTRY = '{"args":["mcp"],"command":"qvm-remote"}';

Deno.test("a setting is put where it belongs and taken away again, and the others stay as they are", () => {
  for (
    const before of [
      {},
      { mcp: {} },
      {
        gateway: { port: 1 },
        mcp: { servers: { echo: { command: "echo" } }, sessionIdleTtlMs: 5 },
      },
    ]
  ) {
    const text = JSON.stringify(before);
    const written = withSetting(PATH, text, KEY, ENTRY);
    assertEquals(settingOf(written, KEY), ENTRY);
    const after = JSON.parse(written);
    delete after.mcp.servers.qubes;
    assertEquals(after, { ...before, mcp: { servers: {}, ...before.mcp } });
    assertEquals(JSON.parse(withSetting(PATH, written, KEY, null)), after);
  }
  assertEquals(JSON.parse(withSetting(PATH, '{"a":1}', KEY, null)), { a: 1 });
});

Deno.test("a value has one spelling, whatever the order of its keys; an absent one is null", () => {
  const text = '{"mcp":{"servers":{"qubes":{"command":"qvm-remote","args":["mcp"]}}}}';
  assertEquals(settingOf(text, KEY), ENTRY);
  assertEquals(settingOf(text, "mcp.sessionIdleTtlMs"), null);
  assertEquals(settingOf('{"mcp":7}', KEY), null);
  assertEquals(settingOf(undefined, KEY), null);
});

Deno.test("a file with comments is not written anew: OpenClaw's own command is named", () => {
  const text = '// mine\n{"mcp":{}}';
  assertEquals(settingOf(text, KEY), NOT_PLAIN);
  for (const [to, hint] of [[ENTRY, `set ${KEY} '${ENTRY}'`], [null, `unset ${KEY}`]] as const) {
    const error = assertThrows(() => withSetting(PATH, text, KEY, to), UserError);
    assertEquals(error.hints[0]?.includes(`openclaw config ${hint}`), true, error.hints[0]);
  }
  assertThrows(() => withSetting(PATH, "[]", KEY, ENTRY), UserError);
});
