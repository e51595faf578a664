// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What the command line of qvm-remote takes: one table for the parser, for --help, and for
 * whoever completes or documents it.
 *
 * @module
 */

import type { OptionTable } from "../../../shared/cli/options.ts";

export const PROGRAM = "qvm-remote";

export interface OptionHelp {
  readonly kind: "flag" | "value";
  readonly short?: string;
  /** The name of its value. */
  readonly value?: string;
  readonly help: string;
}

export type OptionHelpTable = Readonly<Record<string, OptionHelp>>;

const JSON_OPTION = { json: { kind: "flag", help: "one JSON object on stdout" } } as const;
const HELP_OPTION = { help: { kind: "flag", short: "h", help: "this text" } } as const;
const RAW_OPTION = {
  raw: { kind: "flag", help: "leave terminal escapes in the output as they are" },
} as const;
const COUNT_OPTION = {
  number: { kind: "value", short: "n", value: "N", help: "how many" },
} as const;
const TIMEOUT_OPTION = {
  timeout: { kind: "value", short: "t", value: "SECONDS", help: "wall-clock limit" },
} as const;

const ASK_OPTIONS = {
  why: { kind: "value", value: "TEXT", help: "why: shown to the person in dom0 who decides" },
  explain: { kind: "flag", help: "say what dom0 would do with it, and run nothing" },
  detach: { kind: "flag", help: "print the id and end: a job, that the words below follow" },
} as const;
const STDIN_OPTION = {
  stdin: { kind: "flag", short: "i", help: "the command reads what is piped in here" },
  live: { kind: "flag", help: "with -i: pass it on as it comes, from the first byte" },
} as const;

/** Before a command or a sub-command. */
export const RUN_OPTIONS: OptionHelpTable = {
  timeout: {
    ...TIMEOUT_OPTION.timeout,
    help: "end it in dom0 after this time (default 300; operations have their own)",
  },
  "connect-timeout": {
    kind: "value",
    value: "SECONDS",
    help: "give up if dom0 is not connected for so long (default 3)",
  },
  command: { kind: "value", short: "c", value: "SCRIPT", help: "run a script" },
  ...STDIN_OPTION,
  ...ASK_OPTIONS,
  verbose: { kind: "flag", short: "v", help: "say what happens, on stderr" },
  quiet: { kind: "flag", short: "q", help: "no progress on stderr" },
  ...JSON_OPTION,
  raw: RAW_OPTION.raw,
  protocol: { kind: "value", value: "1|2", help: "1: for the daemon of the Python original" },
  ...HELP_OPTION,
  version: { kind: "flag", help: "the version" },
};

export interface SubCommand {
  /** One or two words. */
  readonly path: string;
  /** What follows the path, for people. */
  readonly words: string;
  readonly minWords: number;
  readonly maxWords: number;
  readonly options: OptionHelpTable;
  readonly help: string;
}

function subCommand(
  path: string,
  help: string,
  options: OptionHelpTable = {},
  words = "",
  [minWords, maxWords]: readonly [number, number] = [0, 0],
): SubCommand {
  const all = { ...options, ...JSON_OPTION, ...HELP_OPTION };
  return { path, words, minWords, maxWords, options: all, help };
}

const FORCE = (help: string): OptionHelpTable => ({ force: { kind: "flag", help } });

export const SUB_COMMANDS: readonly SubCommand[] = [
  subCommand(
    "op",
    "an operation of dom0 by its name; --json gives its result as a value",
    { ...TIMEOUT_OPTION, ...STDIN_OPTION, ...ASK_OPTIONS, ...RAW_OPTION },
    "NAME [KEY=VALUE...]",
    [1, Infinity],
  ),
  subCommand("ops", "the operations, and what this VM may do with each", TIMEOUT_OPTION),
  subCommand(
    "plan",
    "several operations as one, from a file in YAML or JSON",
    {
      check: { kind: "flag", help: "check and preview it, ask nobody, run nothing" },
      "undo-on-failure": { kind: "flag", help: "if a step fails, undo those before it" },
      why: ASK_OPTIONS.why,
      detach: ASK_OPTIONS.detach,
      ...TIMEOUT_OPTION,
      ...RAW_OPTION,
    },
    "FILE",
    [1, 1],
  ),
  subCommand(
    "push",
    'files and folders to dom0; a DOM0PATH that ends with "/" is a folder',
    { ...FORCE("replace files in dom0"), ...TIMEOUT_OPTION, why: ASK_OPTIONS.why },
    "LOCAL... DOM0PATH",
    [2, Infinity],
  ),
  subCommand(
    "pull",
    "files and folders from dom0",
    { ...FORCE("replace files here"), ...TIMEOUT_OPTION, why: ASK_OPTIONS.why },
    "DOM0PATH... LOCAL",
    [2, Infinity],
  ),
  subCommand("jobs", "what was sent with --detach, and how far it is"),
  subCommand(
    "attach",
    "the output of a job from its beginning, and on until it ends",
    {
      from: { kind: "value", value: "BYTE", help: "leave out the output before that byte" },
      ...RAW_OPTION,
    },
    "JOB",
    [1, 1],
  ),
  subCommand(
    "wait",
    "the answer to a job, which then is none any more",
    {
      timeout: { ...TIMEOUT_OPTION.timeout, help: "how long to wait; the job goes on" },
      cancel: { kind: "flag", help: "end the job in dom0" },
      ...RAW_OPTION,
    },
    "JOB",
    [1, 1],
  ),
  subCommand("cancel", "end a job in dom0, or take it back", {}, "JOB", [1, 1]),
  subCommand("key gen", "make this VM's key", FORCE("replace the key there is")),
  subCommand("key show", "print the key, to type it in dom0"),
  subCommand(
    "key import",
    "take a key, best from stdin: words can be seen by other programs",
    FORCE("replace the key there is"),
    "[KEY]",
    [0, 1],
  ),
  subCommand("key fingerprint", "what to compare with dom0"),
  subCommand("mcp", "an MCP server on standard input and output, for an agent"),
  subCommand("doctor", "what a request needs, one line each, and what to do"),
  subCommand("ping", "does dom0 answer?", TIMEOUT_OPTION),
  subCommand("status", "key, name, queue, and whether dom0 answers"),
  subCommand("queue", "how many requests are where"),
  subCommand("queue status", "the same"),
  subCommand(
    "queue clean",
    "remove what no living client owns",
    FORCE("end requests that dom0 may still run, too"),
  ),
  subCommand("queue debug", "list the entries"),
  subCommand("log", "the last N lines of the audit log (20)", COUNT_OPTION, "[N]", [0, 1]),
  subCommand("history", "the last N commands (10)", COUNT_OPTION, "[N]", [0, 1]),
  subCommand("migrate", "from the Python original: say what there is and what would be done", {
    apply: { kind: "flag", help: "do it" },
    undo: { kind: "flag", help: "take it back" },
  }),
  subCommand("history show", "one command, its output and its outcome", RAW_OPTION, "ID", [1, 1]),
];

/** For parseWords(). */
export function optionTable(options: OptionHelpTable): OptionTable {
  return Object.fromEntries(Object.entries(options).map(([name, { kind }]) => [name, kind]));
}

/** For parseWords(). */
export function shortNames(options: OptionHelpTable): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(options).flatMap(([name, { short }]) =>
      short === undefined ? [] : [[short, name]]
    ),
  );
}
