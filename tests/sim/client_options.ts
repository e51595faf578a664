// SPDX-License-Identifier: GPL-2.0-or-later
/** The command line of qrexec-client, read as getopt_long reads it. @module */
import { CONNECT_TIMEOUT_S } from "./limits.ts";

/** What qrexec-client was asked to do. */
export interface ClientOptions {
  readonly vm: string;
  readonly command: string;
  readonly justExec: boolean;
  readonly alwaysZero: boolean;
  readonly replaceStdout: boolean;
  readonly replaceStderr: boolean;
  /** 0 waits for ever. */
  readonly timeoutS: number;
  readonly prefix: string;
  readonly socketDir: string | undefined;
}

/** A command line that ends the program: what it prints, and with which code. */
export interface UsageExit {
  readonly exitCode: number;
  readonly text: string;
}

const FLAGS = "heEtTWk";
const WITH_VALUE = "dlcpw";
const LONG: ReadonlyMap<string, string> = new Map([
  ["help", "h"],
  ["no-exit-code", "E"],
  ["prefix-data", "p"],
  ["socket-dir", "socket-dir"],
  ["use-stdin-socket", "use-stdin-socket"],
]);
/** Known to the real program, but there is nothing here that could do it. */
const UNSUPPORTED: ReadonlySet<string> = new Set(["l", "c", "use-stdin-socket", "k"]);

/** @returns the options, or how the program ends because of them. */
export function parseClientOptions(args: readonly string[]): ClientOptions | UsageExit {
  const found = new Map<string, string>();
  const words: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "";
    if (arg === "--") {
      words.push(...args.slice(i + 1));
      break;
    }
    if (arg.startsWith("--")) {
      const [name = "", ...rest] = arg.slice(2).split("=");
      const key = LONG.get(name);
      if (key === undefined) return usage(0, `qrexec-client: unrecognized option '--${name}'\n`);
      const takesValue = key === "p" || key === "socket-dir";
      const value = rest.length > 0 ? rest.join("=") : takesValue ? args[++i] : "";
      if (value === undefined) {
        return usage(0, `qrexec-client: option '--${name}' requires an argument\n`);
      }
      if (key === "p" && found.has("p")) return usage(2);
      found.set(key, value);
      continue;
    }
    if (!arg.startsWith("-") || arg === "-") {
      words.push(arg);
      continue;
    }
    for (let at = 1; at < arg.length; at++) {
      const key = arg.charAt(at);
      if (FLAGS.includes(key)) found.set(key, "");
      else if (WITH_VALUE.includes(key)) {
        const value = arg.slice(at + 1) || args[++i];
        if (value === undefined) {
          return usage(0, `qrexec-client: option requires an argument -- '${key}'\n`);
        }
        if (key === "p" && found.has("p")) return usage(2);
        found.set(key, value);
        break;
      } else return usage(0, `qrexec-client: invalid option -- '${key}'\n`);
    }
  }
  return checkOptions(found, words);
}

function checkOptions(
  found: ReadonlyMap<string, string>,
  words: readonly string[],
): ClientOptions | UsageExit {
  if (found.has("h")) return usage(0);
  for (const key of UNSUPPORTED) {
    if (found.has(key)) {
      const option = key.length > 1 ? `--${key}` : `-${key}`;
      return { exitCode: 1, text: `qrexec-client: the simulated Qubes has no option ${option}\n` };
    }
  }
  const vm = found.get("d");
  const command = words[0];
  if (vm === undefined || command === undefined) return usage(1);
  const timeout = found.get("w") ?? String(CONNECT_TIMEOUT_S);
  if (!/^\d/.test(timeout)) {
    const text = `qrexec-client: connection timeout '${timeout}' does not start with a digit\n`;
    return { exitCode: 1, text };
  }
  if (!/^\d+$/.test(timeout)) {
    return { exitCode: 1, text: `qrexec-client: trailing junk after connection timeout\n` };
  }
  return {
    vm,
    command,
    justExec: found.has("e"),
    alwaysZero: found.has("E"),
    replaceStdout: found.has("t"),
    replaceStderr: found.has("T"),
    timeoutS: Number(timeout),
    prefix: found.get("p") ?? "",
    socketDir: found.get("socket-dir"),
  };
}

function usage(exitCode: number, complaint = ""): UsageExit {
  const text = "usage: qrexec-client [-eEtT] [-w seconds] [-p data] [--socket-dir=path] " +
    "-d domain user:command\n";
  return { exitCode, text: complaint + text };
}
