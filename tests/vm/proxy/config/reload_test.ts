// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import type { Config } from "../../../../vm/proxy/config/config.ts";
import { parseConfig } from "../../../../vm/proxy/config/parse_config.ts";
import { keepConfig } from "../../../../vm/proxy/config/reload.ts";

function configOf(port: number): Config {
  const parsed = parseConfig({
    port,
    providers: { ollama: { kind: "ollama", models: ["llama3.2"] } },
  });
  if (!("providers" in parsed)) throw new Error(JSON.stringify(parsed));
  return parsed;
}

const parts = { files: [], everyMs: 3_600_000, log() {}, onReload() {} };

Deno.test("reload: what changed between the first reading and the first look is in force", async () => {
  const live = await keepConfig(configOf(1001), {
    ...parts,
    load: () => Promise.resolve(configOf(1002)),
  });
  assertEquals(live.current().port, 1002);
  live.close();
});

Deno.test("reload: if it is wrong by then, the first one stays", async () => {
  const live = await keepConfig(configOf(1001), {
    ...parts,
    load: () => Promise.reject(new Error("cut in the middle")),
  });
  assertEquals(live.current().port, 1001);
  live.close();
});
