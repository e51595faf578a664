// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The command line of each program, from the tables by which the programs themselves read it. The
 * completions, and the options and commands in the manual pages, are made of this.
 *
 * @module
 */

import { ADMIN_COMMANDS, ADMIN_OPTIONS, ADMIN_SHORT } from "../../dom0/admin/cli_table.ts";
import {
  COMMANDS as DOM0_COMMANDS,
  DAEMON_OPTIONS,
  DAEMON_SHORT,
} from "../../dom0/cli/command_table.ts";
import { SETUP_OPTIONS, SETUP_SHORT, USAGE as SETUP_USAGE } from "../../dom0/setup/request.ts";
import type { OptionTable } from "../cli/options.ts";
import { CHECK_OPTIONS, STATUS_OPTIONS, TUNNEL_OPTIONS } from "../tunnel/cli_table.ts";
import { CONNECT_OPTIONS } from "../../vm/connect/cli.ts";
import { CTL_COMMANDS, CTL_OPTIONS } from "../../vm/ctl/cli_table.ts";

import { COMMANDS as PROXY_COMMANDS } from "../../vm/proxy/cli.ts";
import {
  type OptionHelpTable,
  RUN_OPTIONS,
  SUB_COMMANDS,
} from "../../vm/remote/commands/cli_table.ts";
import { SETUP_VM_OPTIONS, SETUP_VM_SHORT } from "../../vm/setup/request.ts";
import { WATCHDOG_OPTIONS } from "../../vm/watchdog/cli.ts";
import { alternatives, type OptionLine, parseUsage, type Usage } from "./usage.ts";

export interface Command extends Usage {
  /** One or two words, "key gen". */
  readonly path: string;
  /** What follows the path, for a page. */
  readonly usage: string;
  /** One line about it, where the program has one. */
  readonly about?: string;
}

/** Options and words at the top are those without a command. */
export interface CommandLine extends Usage {
  readonly program: string;
  /** "--" ends the options; what follows belongs to another program. */
  readonly endsAtDashes?: true;
  readonly commands: readonly Command[];
}

/** @param values what the value of each option is called that takes one */
function optionLines(
  table: OptionTable,
  values: Readonly<Record<string, string>> = {},
  short: Readonly<Record<string, string>> = { h: "help" },
): readonly OptionLine[] {
  const letters = new Map(Object.entries(short).map(([letter, name]) => [name, letter]));
  return Object.entries(table).map(([name, kind]) => {
    const value = kind === "flag" ? undefined : values[name];
    if (kind !== "flag" && value === undefined) throw new Error(`what is the value of --${name}?`);
    const letter = letters.get(name);
    return {
      name: `--${name}`,
      ...letter === undefined ? {} : { short: `-${letter}` },
      ...value === undefined ? {} : { value },
    };
  });
}

function helpLines(table: OptionHelpTable): readonly OptionLine[] {
  return Object.entries(table).map(([name, { short, value, help }]) => ({
    name: `--${name}`,
    about: help,
    ...short === undefined ? {} : { short: `-${short}` },
    ...value === undefined ? {} : { value },
  }));
}

const inBrackets = ({ name, value }: OptionLine): string =>
  value === undefined ? `[${name}]` : `[${name} ${value}]`;

/** Of a command whose options are a table: those that every command takes are said once, elsewhere. */
function commandOf(
  path: string,
  options: readonly OptionLine[],
  words: string,
  about?: string,
): Command {
  const own = options.filter(({ name }) => name !== "--json" && name !== "--help");
  return {
    path,
    usage: [...own.map(inBrackets), words].join(" ").trim(),
    options,
    words: parseUsage(words).words,
    ...about === undefined ? {} : { about },
  };
}

/** Of a command whose options and words are one line; it may have several ways to go on. */
function commandsOf(path: string, usage: string, about: string): readonly Command[] {
  const ways = alternatives(usage);
  return ways.map((way) => {
    const [second = "", ...rest] = way.split(" ");
    const isPath = ways.length > 1 && /^[a-z-]+$/.test(second);
    const own = isPath ? rest.join(" ") : way;
    return { path: isPath ? `${path} ${second}` : path, usage: own, about, ...parseUsage(own) };
  });
}

const TUNNEL_VALUES = { vm: "VM", listen: "[ADDR:]PORT[:REMOTE]", "max-connections": "N" };
const CTL_VALUES = { lines: "N", since: "TIME", text: "TEXT", days: "N", every: "SECONDS" };
const PORTS_WORDS = new Map([
  ["install", "[--link] [--script] [--per-vm] [--dry-run] [PORT]..."],
  ["remove", "[--dry-run]"],
  ["status", "[--json]"],
]);

export const COMMAND_LINES: readonly CommandLine[] = [
  {
    program: "qvm-remote-dom0",
    options: optionLines(DAEMON_OPTIONS, { vm: "VM", cgroup: "DIR" }, DAEMON_SHORT),
    words: [],
    commands: [...DOM0_COMMANDS].flatMap(([name, { words, about }]) =>
      commandsOf(name, words, about)
    ),
  },
  {
    program: "setup-dom0",
    options: optionLines(SETUP_OPTIONS, {
      "agent-vm": "VM",
      "admin-vm": "VM",
      "key-qube": "VM",
      template: "TEMPLATE",
      "admin-template": "TEMPLATE",
      "key-template": "TEMPLATE",
      netvm: "NETVM",
      "admin-netvm": "NETVM",
      "key-netvm": "NETVM",
      ip: "IP",
      mode: "tunnel|network",
      class: "standalone|app",
      label: "COLOUR",
      memory: "MIB",
      maxmem: "MIB",
      "proxy-port": "PORT",
      "gateway-port": "PORT",
    }, SETUP_SHORT),
    words: parseUsage(SETUP_USAGE.slice("setup-dom0 ".length)).words,
    commands: [],
  },
  {
    program: "qubes-global-admin-web",
    options: optionLines(ADMIN_OPTIONS, {}, ADMIN_SHORT),
    words: [],
    commands: [...ADMIN_COMMANDS].flatMap(([name, { words, about }]) =>
      commandsOf(name, words, about)
    ),
  },
  {
    program: "openclaw-tunnel",
    options: optionLines(TUNNEL_OPTIONS, TUNNEL_VALUES),
    words: [],
    commands: [
      commandOf("status", optionLines(STATUS_OPTIONS), ""),
      commandOf("check", optionLines(CHECK_OPTIONS, TUNNEL_VALUES), "[PORT[:REMOTE]]..."),
    ],
  },
  {
    program: "qvm-remote",
    endsAtDashes: true,
    options: helpLines(RUN_OPTIONS),
    words: [],
    commands: SUB_COMMANDS.map(({ path, options, words, help }) =>
      commandOf(path, helpLines(options), words, help)
    ),
  },
  {
    program: "openclaw-ports",
    options: optionLines({ help: "flag", version: "flag" }),
    words: [],
    commands: [...PORTS_WORDS].map(([path, usage]) => ({ path, usage, ...parseUsage(usage) })),
  },
  {
    program: "openclaw-connect",
    options: optionLines(CONNECT_OPTIONS, {
      vm: "VM",
      proxy: "PORT[:REMOTE]",
      gateway: "PORT[:REMOTE]",
      timeout: "SECONDS",
    }),
    words: [],
    commands: [],
  },
  {
    program: "openclaw-proxy",
    options: optionLines({ help: "flag", version: "flag" }),
    words: [],
    commands: [...PROXY_COMMANDS].map((path) => commandOf(path, [], "")),
  },
  {
    program: "setup-vm",
    options: optionLines(SETUP_VM_OPTIONS, {
      model: "NAME",
      "agent-vm": "VM",
      "proxy-port": "PORT",
      "gateway-port": "PORT",
    }, SETUP_VM_SHORT),
    words: ["PROVIDER"],
    commands: [],
  },
  {
    program: "openclaw-ctl",
    options: optionLines(CTL_OPTIONS),
    words: [],
    commands: [...CTL_COMMANDS].map(([path, { options, words: [words], help }]) => {
      const own = optionLines(options, CTL_VALUES);
      const everywhere = path === "help" ? [] : optionLines({ json: "flag", help: "flag" });
      return commandOf(path, [...own, ...everywhere], words, help);
    }),
  },
  {
    program: "openclaw-watchdog",
    options: optionLines(WATCHDOG_OPTIONS),
    words: [],
    commands: [],
  },
];
