// SPDX-License-Identifier: GPL-2.0-or-later
/** Who a request is from: the VM whose socket it came through, the key, or both. @module */

import { assert, assertEquals } from "@std/assert";
import { parseVmName } from "../../../../shared/protocol/vm_name.ts";
import { accountOf, identify } from "../../../../vm/proxy/http/access.ts";
import type { Config } from "../../../../vm/proxy/config/config.ts";
import { parseConfig } from "../../../../vm/proxy/config/parse_config.ts";

function configOf(clients: unknown): Config {
  const config = parseConfig({ providers: { o: { kind: "openai" } }, clients });
  assert("providers" in config, JSON.stringify(config));
  return config;
}

/** @returns the client's name and account, or the status of the refusal */
async function who(config: Config, vm: string | null, key: string | null): Promise<unknown> {
  const headers = new Headers(key === null ? {} : { authorization: `Bearer ${key}` });
  const found = await identify(headers, vm === null ? null : parseVmName(vm), config, ({ key }) => {
    return Promise.resolve(key?.from === "env" ? `key-${key.name.toLowerCase()}` : null);
  });
  return "status" in found ? found.status : [found.name, found.account];
}

const MIXED = configOf({
  agent: { vm: "claw" },
  inner: { vm: "claw", key: { env: "INNER" } },
  strict: { vm: "other", key: { env: "STRICT" } },
  local: { key: { env: "LOCAL" } },
});

const CASES: readonly (readonly [vm: string | null, key: string | null, is: unknown])[] = [
  ["claw", null, ["agent", "vm:claw"]],
  ["claw", "any-word", ["agent", "vm:claw"]],
  ["claw", "key-inner", ["inner", "vm:claw:inner"]],
  // Another client's key, taken from somewhere, makes nobody that client.
  ["claw", "key-local", ["agent", "vm:claw"]],
  ["claw", "key-strict", ["agent", "vm:claw"]],
  ["other", "key-strict", ["strict", "vm:other:strict"]],
  ["other", null, 401],
  ["other", "key-inner", 401],
  ["other", "key-local", 401],
  ["stranger", null, 401],
  ["stranger", "key-local", 401],
  [null, "key-local", ["local", "local"]],
  // What is bound to a VM is no use on the port, where everyone looks the same.
  [null, "key-inner", 401],
  [null, "key-strict", 401],
  [null, null, 401],
];

for (const [vm, key, is] of CASES) {
  Deno.test(`from ${vm ?? "the port"} with ${key ?? "no key"}: ${is}`, async () => {
    assertEquals(await who(MIXED, vm, key), is);
  });
}

Deno.test("without clients the port is open, as it was, and no VM is let in", async () => {
  const open = configOf({});
  assertEquals(await who(open, null, null), ["anyone", "anyone"]);
  assertEquals(await who(open, "claw", null), 401);
});

Deno.test("where all clients are VMs, the port lets nobody ask", async () => {
  const config = configOf({ agent: { vm: "claw" } });
  assertEquals(await who(config, null, null), 401);
  assertEquals(await who(config, null, "x"), 401);
});

Deno.test("a VM's books keep their name when its client gets another", () => {
  const account = (clients: unknown): readonly string[] => configOf(clients).clients.map(accountOf);
  assertEquals(account({ a: { vm: "claw" } }), account({ b: { vm: "claw" } }));
  // A client can be called as a VM is, and as an account is written it cannot.
  assertEquals(account({ claw: { key: { env: "K" } }, x: { vm: "claw" } }), ["claw", "vm:claw"]);
});
