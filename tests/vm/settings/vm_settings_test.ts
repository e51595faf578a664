// SPDX-License-Identifier: GPL-2.0-or-later
/** What this VM is for: read from a file, or a plain error. @module */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../../shared/cli/program.ts";
import {
  loadVmSettings,
  parseVmSettings,
  type VmSettings,
  vmSettingsPath,
  writtenVmSettings,
} from "../../../vm/settings/vm_settings.ts";

const AGENT: VmSettings = {
  ...{ role: "agent", provider: "multi", keyQube: true, units: "system" },
  ...{ proxyPort: 32126, gatewayPort: 18790 },
};

async function withFile(text: string | null, use: (home: string) => Promise<void>): Promise<void> {
  const home = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${home}/.config/openclaw`, { recursive: true });
    if (text !== null) await Deno.writeTextFile(vmSettingsPath(home), text);
    await use(home);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

Deno.test("what is written is read back; what is left out has its usual value", async () => {
  await withFile(writtenVmSettings(AGENT), async (home) => {
    assertEquals(await loadVmSettings(home), AGENT);
  });
  await withFile('{"role": "client"}', async (home) => {
    assertEquals(await loadVmSettings(home), {
      ...{ role: "client", provider: "none", keyQube: false, units: "user" },
      ...{ proxyPort: 32125, gatewayPort: 18789 },
    });
  });
});

const WRONG: readonly (readonly [path: string, settings: unknown])[] = [
  ["role", {}],
  ["role", { role: "server" }],
  ["provider", { role: "agent", provider: "gemini" }],
  ["units", { role: "agent", units: true }],
  ["proxyPort", { role: "agent", proxyPort: 0 }],
  ["prots", { role: "agent", prots: 1 }],
];

for (const [path, settings] of WRONG) {
  Deno.test(`wrong: ${JSON.stringify(settings)}`, () => {
    const problems = parseVmSettings(settings);
    assert(!("role" in problems));
    assertEquals(problems.map((one) => one.path), [path]);
  });
}

Deno.test("no file, no JSON and a wrong value each name the file and the next step", async () => {
  for (const text of [null, "{", '{"role": "x"}']) {
    await withFile(text, async (home) => {
      const error = await assertRejects(() => loadVmSettings(home), UserError);
      assert(error.message.includes(vmSettingsPath(home)), error.message);
      assert(error.hints.length > 0);
    });
  }
});
