// SPDX-License-Identifier: GPL-2.0-or-later
/** The command line of openclaw-proxy. @module */

import { unknownCommand } from "../../shared/cli/did_you_mean.ts";
import { expectWords, parseWords } from "../../shared/cli/options.ts";
import { UsageError } from "../../shared/cli/program.ts";
import { parseTcpPort } from "../../shared/io/tcp_port.ts";
import { ProtocolError } from "../../shared/protocol/refusal.ts";

export const PROGRAM = "openclaw-proxy";

export type Command = "serve" | "check-config" | "permissions" | "help" | "version";

export const COMMANDS: ReadonlySet<string> = new Set(["serve", "check-config", "permissions"]);
/** The runtime alone takes half of that. */
const MIN_MEMORY_MIB = 128;
const USAGE = "openclaw-proxy [serve | check-config | permissions] [--help] [--version]";

/** @throws {UsageError} */
export function readCommand(args: readonly string[]): Command {
  const words = parseWords(
    args,
    { help: "flag", version: "flag" },
    { h: "help", V: "version" },
    "anywhere",
  );
  if (words.has("help")) return "help";
  if (words.has("version")) return "version";
  expectWords(words.rest, 0, 1, USAGE);
  const [command = "serve"] = words.rest;
  if (COMMANDS.has(command)) return command as Command;
  throw unknownCommand("command", command, [...COMMANDS], `usage: ${USAGE}`);
}

/** @param text OPENCLAW_PROXY_PORT; 0 lets the system choose, which tests do */
export function portOf(text: string | undefined, configured: number): number {
  if (text === undefined || text === "") return configured;
  if (text === "0") return 0;
  try {
    return parseTcpPort(text);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new UsageError("OPENCLAW_PROXY_PORT takes a port from 1 to 65535");
  }
}

/** The unit sets it beside its MemoryMax=, which a program with few permissions cannot read. */
export const MEMORY_VARIABLE = "OPENCLAW_PROXY_MEMORY_MIB";

export function memoryMibOf(text: string | undefined): number | null {
  if (text === undefined || text === "") return null;
  const mib = /^\d{1,7}$/.test(text) ? Number(text) : NaN;
  if (mib >= MIN_MEMORY_MIB) return mib;
  throw new UsageError(
    `${MEMORY_VARIABLE} takes a whole number of MiB, ${MIN_MEMORY_MIB} or more`,
  );
}

export const HELP = `usage: ${USAGE}

One API in front of several model providers, on 127.0.0.1:32125. OpenClaw and the SDKs of OpenAI
and Anthropic speak to it as to the provider itself; it holds the keys, tries the next provider
when one fails, and keeps to limits.

  serve         the default
  check-config  reads the configuration; says what is wrong, where, and what to write; fetches each
                key, shows none, and says which are missing
  permissions   the hosts and programs that the configuration needs, as the launcher asks

It reads ~/.openclaw/proxy.json again whenever it changes; what runs goes on. Keys stand in
~/.openclaw/proxy.env, one NAME=KEY a line, mode 0600. A small one to begin with:

  {
    "providers": {
      "anthropic": { "kind": "anthropic", "apiKey": { "env": "ANTHROPIC_API_KEY" } },
      "openai":    { "kind": "openai", "apiKey": { "qrexec": "openclaw.Secret+openai" } },
      "local":     { "kind": "ollama", "models": ["llama3.2"] }
    },
    "models": {
      "auto": { "try": ["anthropic/claude-sonnet-5", "openai/gpt-5", "local/llama3.2"] }
    },
    "prices": { "anthropic/claude-sonnet-5": { "input": 3, "output": 15, "cacheRead": 0.3 },
                "openai/gpt-5": { "input": 1.25, "output": 10 } },
    "limits": { "spendPerDay": 5, "concurrent": 8 }
  }

To change the provider, change the first name in "try". A provider of another host than the usual
ones is reached after "systemctl --user restart openclaw-proxy".

  kind      openai (and all that speak as it does), anthropic, ollama, cursor
  apiKey    {"env": "NAME"}, {"command": ["/usr/bin/pass", "show", "x"]},
            {"qrexec": "service+argument", "target": "vault"}
  clients   {"name": {"key": …, "limits": {…}}}: then whoever has no key is refused;
            {"name": {"vm": "QUBE", "limits": {…}}}: another qube, by qrexec's word for who calls
            (in this VM: sudo openclaw-ports install --per-vm 32125). With both, both must hold
  limits    requestsPerMinute, tokensPerMinute, tokensPerDay, concurrent, spendPerDay,
            spendPerMonth (US dollars, at the "prices" for a million tokens)

  GET /health, /readyz, /metrics, /v1/models; POST /v1/chat/completions, /v1/messages,
  /v1/messages/count_tokens, /v1/responses, /v1/embeddings

Exit codes: 0 ended as asked, 1 failure, 2 the words do not fit, 78 the configuration is wrong.
`;
