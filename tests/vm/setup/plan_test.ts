// SPDX-License-Identifier: GPL-2.0-or-later
/** What is wanted of each kind of VM, and the way back. */

import { assert, assertEquals } from "@std/assert";
import { commandsFor, type Fact, factKey, record } from "../../../vm/setup/fact.ts";
import { type Places, placesOf } from "../../../vm/setup/places.ts";
import { leftovers, planUndo } from "../../../vm/setup/plan.ts";
import { parseInvocation, type SetupRequest } from "../../../vm/setup/request.ts";
import { type Around, wantedFor } from "../../../vm/setup/wanted.ts";
import { keyNames, proxyEnvText, randomToken } from "../../../vm/setup/secrets.ts";
import { PROVIDERS } from "../../../vm/settings/vm_settings.ts";
import { PROJECT } from "../../e2e/program_flags.ts";

const PLACES: Places = placesOf("", "/home/user", "user");
const AROUND: Around = {
  kind: "standalone",
  packages: new Map([["node", "n"], ["openclaw", "o"]]),
  flags: new Set(["openclaw-proxy"]),
  templates: new Map(),
  npmOptions: "",
};

function request(...words: string[]): SetupRequest {
  const { action } = parseInvocation(words);
  if (action.kind !== "setup") throw new Error("not a setup");
  return action.request;
}

const keys = (words: readonly string[], around: Partial<Around> = {}): readonly string[] =>
  wantedFor(request(...words), PLACES, { ...AROUND, ...around }).map(({ fact }) => factKey(fact));

Deno.test("no fact twice, whatever is asked for", () => {
  for (const part of [[], ["--keys", "--agent-vm", "claw"], ["--key-qube"]]) {
    for (const units of [[], ["--user-units"]]) {
      for (const kind of ["app", "standalone", "template"] as const) {
        const all = keys(["multi", ...part, ...units], { kind });
        assertEquals(new Set(all).size, all.length, [...part, ...units, kind].join(" "));
      }
    }
  }
});

Deno.test("services: only those whose flag is set are started, all are enabled", () => {
  const all = keys(["multi"]);
  assertEquals(all.filter((key) => key.startsWith("enabled")).length, 3);
  assertEquals(all.filter((key) => key.startsWith("active")), [
    "active system qubes-openclaw-proxy.service",
  ]);
  assertEquals(keys(["multi", "--user-units"]).filter((key) => key.startsWith("active")).length, 3);
});

Deno.test("a container gets files and nothing else", () => {
  const all = keys(["multi", "--only-files"]);
  assertEquals(all.filter((key) => !/^(folder|kept|file) \/home\/user\//.test(key)), []);
});

Deno.test("only an AppVM binds folders", () => {
  const binds = (kind: Around["kind"]) =>
    keys(["multi", "--user-units"], { kind }).filter((key) => key.includes("/rw/")).length;
  assertEquals([binds("app"), binds("standalone"), binds("template")], [2, 0, 0]);
});

Deno.test("no command has a shell in it, or writes where a fact is not", () => {
  const facts: Fact[] = [
    ...wantedFor(request("multi"), PLACES, AROUND),
    ...wantedFor(request("multi", "--user-units"), PLACES, { ...AROUND, kind: "app" }),
  ].map(({ fact }) => fact);
  for (const fact of facts) {
    for (const to of ["x", null]) {
      for (const { argv } of commandsFor(fact, to)) {
        assert(!argv.some((word) => /^(sh|bash|-c|curl|wget)$/.test(word)), argv.join(" "));
      }
    }
  }
});

const entry = (fact: Fact, to = "x") => ({ fact, from: null, to });

Deno.test("leftovers: what is not wanted goes, in the reverse order; the user's files stay", () => {
  const old: Fact[] = [
    { kind: "kept", path: "/home/user/.openclaw/proxy.env" },
    { kind: "linger", user: "user" },
    { kind: "enabled", unit: "openclaw-proxy.service", manager: "user" },
  ];
  const left = leftovers([], old.map((fact) => entry(fact)));
  assertEquals(left.map(({ fact }) => fact.kind), ["enabled", "linger"]);
});

Deno.test("undo: data stays unless asked for, what others changed stays always", async () => {
  const kept: Fact = { kind: "kept", path: "/k" };
  const file: Fact = { kind: "file", path: "/f", root: false };
  const packages: Fact = {
    ...{ kind: "packages", name: "node", prefix: "/p", root: false, source: "/s", options: "" },
  };
  const now = new Map([[factKey(kept), "yes"], [factKey(file), "theirs"], [
    factKey(packages),
    "incomplete",
  ]]);
  const read = (fact: Fact) => Promise.resolve(now.get(factKey(fact)) ?? null);
  const kinds = async (removeData: boolean) =>
    (await planUndo(read, [entry(kept, "yes"), entry(file), entry(packages)], removeData))
      .map(({ action }) => action.kind);
  assertEquals(await kinds(false), ["step", "left", "left"]);
  assertEquals(await kinds(true), ["step", "left", "step"]);
});

Deno.test("a record that is not ours is refused", () => {
  const bad = [
    "{}",
    '{"format":1}',
    '{"format":1,"entries":[{"fact":{"kind":"vm"},"from":null,"to":"x"}]}',
    '{"format":1,"entries":[{"fact":{"kind":"file","path":"x"},"from":null,"to":"x"}]}',
    '{"format":1,"entries":[{"fact":{"kind":"file","path":"/x","root":[]},"from":null,"to":"x"}]}',
    '{"format":1,"entries":[{"fact":{"kind":"ports"},"from":1,"to":"x"}]}',
  ];
  for (const text of bad) {
    let said = "";
    try {
      record.parse(text);
    } catch (error) {
      said = String(error);
    }
    assert(said !== "", text);
  }
});

Deno.test("proxy.env names the keys that the provider's proxy.json names, and holds none", () => {
  for (const provider of PROVIDERS) {
    const text = Deno.readTextFileSync(`${PROJECT}/vm/openclaw/proxy-${provider}.json`);
    const named = [...text.matchAll(/"env": "([A-Z_]+)"/g)].map(([, name = ""]) => name);
    assertEquals([...new Set(named)].sort(), [...keyNames(provider)].sort(), provider);
    const lines = proxyEnvText(provider).trim().split("\n");
    assertEquals(lines.filter((line) => !line.startsWith("#")), []);
  }
});

Deno.test("tokens are 256 bits, each another", () => {
  const tokens = new Set(Array.from({ length: 100 }, randomToken));
  assertEquals(tokens.size, 100);
  for (const token of tokens) assert(/^[0-9a-f]{64}$/.test(token));
});
