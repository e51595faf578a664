// SPDX-License-Identifier: GPL-2.0-or-later
/** OpenClaw takes each of the templates as it will be installed. @module */

import { assertEquals } from "@std/assert";
import { openClawHome } from "./real_openclaw.ts";

const PORTS = { proxyPort: 32125, gatewayPort: 18789 };

for (const template of ["cursor", "openai", "anthropic", "ollama", "multi", "auto"]) {
  Deno.test(`C1 openclaw-${template}.json is valid, without a warning`, async () => {
    await using place = await openClawHome({ template, ...PORTS });
    const { code, stdout, stderr } = await place.run("config", "validate", "--json");
    assertEquals(code, 0, stdout + stderr);
    const { valid, warnings } = JSON.parse(stdout);
    assertEquals([valid, warnings], [true, []]);
  });
}

Deno.test("C1 a key that OpenClaw does not know is refused: the check is no mere parsing", async () => {
  const change = (config: Record<string, unknown>): void => void (config["proxy"] = { port: 1 });
  await using place = await openClawHome({ template: "cursor", ...PORTS, change });
  const { stdout } = await place.run("config", "validate", "--json");
  assertEquals(JSON.parse(stdout).valid, false);
});
