// SPDX-License-Identifier: GPL-2.0-or-later
/** Writes the bash completion of a program. Pure. @module */

import { basename } from "@std/path/posix/basename";
import type { CommandLine } from "./command_lines.ts";
import { PROVIDERS } from "../../vm/settings/vm_settings.ts";
import type { OptionLine } from "./usage.ts";

const VMS = "$(qvm-ls --raw-list 2>/dev/null | grep -vx dom0)";
const TEMPLATES = "$(qvm-ls --raw-list --class TemplateVM 2>/dev/null)";
const NETVMS = "none $(qvm-ls --raw-list 2>/dev/null | grep '^sys-')";
const JOBS = "$(ls ~/.qvm-remote/detached 2>/dev/null)";
const ARCHIVES = "$(ls /var/lib/qvm-remote/archives 2>/dev/null)";
const HISTORY = "$(cd ~/.qvm-remote/history 2>/dev/null && printf '%s\\n' */* | cut -d/ -f2)";

/** What bash offers for a word in capitals. Of others, such as a key or a date, it knows nothing. */
const OFFERED: ReadonlyMap<string, string> = new Map([
  ["VM", VMS],
  ["AGENT-VM", VMS],
  ["TEMPLATE", TEMPLATES],
  ["NETVM", NETVMS],
  ["IP", "10.137.0.100"],
  ["COLOUR", "red orange yellow green gray blue purple black"],
  ["PORT", "32125 18789"],
  ["[ADDR:]PORT[:REMOTE]", "127.0.0.1: [::1]: localhost:"],
  ["PART", "proxy gateway watchdog tunnel all"],
  ["PROVIDER", PROVIDERS.join(" ")],
  ["ID", HISTORY],
  ["JOB", JOBS],
  ["ARCHIVE", ARCHIVES],
  ["FILE", '$(compgen -f -- "$word")'],
  ["WORDS", "list add remove"], // openclaw-ctl cron
]);

/** For one place of a command line: words to choose from, or a shell's way to find them. */
function offered(word: string): string {
  const known = OFFERED.get(word);
  if (known !== undefined) return known;
  return /[A-Z]/.test(word) ? "" : word.replaceAll("|", " ");
}

const join = (...parts: readonly string[]): string => parts.filter((part) => part !== "").join(" ");
const spellings = ({ name, short }: OptionLine): string =>
  short === undefined ? name : `${short} | ${name}`;

export function completionOf(line: CommandLine, page: string): string {
  const { program, commands } = line;
  const func = `_${program.replaceAll(/[-.]/g, "_")}`;
  const [stem = "", section = ""] = basename(page).split(/\.(?=\d$)/);
  const valued = distinct(
    [line, ...commands].flatMap(({ options }) =>
      options.filter(({ value }) => value !== undefined)
    ),
  );
  return `# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for ${stem}(${section}), made from its table of options

${func}() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command="" place=0 words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
${line.endsAtDashes === true ? "      --) COMPREPLY=(); return ;;\n" : ""}${
    valued.length === 0 ? "" : `      ${valued.map(spellings).join(" | ")}) ((++i)) ;;\n`
  }      -*) ;;
      *)
        case "$command \${COMP_WORDS[i]}" in
${pathCase(commands.map(({ path }) => path))}          *) ((++place)) ;;
        esac ;;
    esac
  done
  case $previous in
${valued.map((option) => valueCase(option)).join("")}    *)
      case $command/$place in
${wordCases(offers(line))}        *) ;;
      esac
      case $command/$place in
${optionCases(offers(line))}        *) ;;
      esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F ${func} ${program}
`;
}

/** The first of each name; a name has the same kind of value in all commands. */
function distinct(options: readonly OptionLine[]): readonly OptionLine[] {
  return [...new Map(options.toReversed().map((option) => [option.name, option])).values()]
    .toReversed();
}

/** Paths, and the first words of longer ones. */
function prefixes(paths: readonly string[]): readonly string[] {
  return [
    ...new Set(paths.flatMap((path) => {
      const [first = ""] = path.split(" ");
      return first === path ? [path] : [first, path];
    })),
  ];
}

function pathCase(paths: readonly string[]): string {
  const known = prefixes(paths).map((path) => path.includes(" ") ? `"${path}"` : `" ${path}"`);
  if (known.length === 0) return "";
  return `          ${known.join(" | ")}) command="\${command:+$command }\${COMP_WORDS[i]}" ;;\n`;
}

function valueCase(option: OptionLine): string {
  const { value = "" } = option;
  if (value === "DIR") {
    return `    ${spellings(option)}) COMPREPLY=($(compgen -d -- "$word")); return ;;\n`;
  }
  const words = offered(value);
  return `    ${spellings(option)}) ${
    words === "" ? "COMPREPLY=(); return" : `words="${words}"`
  } ;;\n`;
}

/** What is offered after a command: its options, and at each place the words that may stand there. */
interface Offer {
  readonly command: string;
  readonly options: readonly OptionLine[];
  /** As they stand in the script. */
  readonly words: readonly string[];
  /** Whether the options are offered behind words, too. */
  readonly mixed: boolean;
}

function offers({ options, words, commands }: CommandLine): readonly Offer[] {
  const firsts = [...new Set(commands.map(({ path }) => path.split(" ")[0] ?? ""))];
  const top: Offer = {
    command: "",
    options,
    words: commands.length > 0 ? [firsts.join(" ")] : words.map(offered),
    mixed: commands.length === 0,
  };
  const alone = firsts.map((first): Offer => {
    const seconds = commands.flatMap(({ path }) =>
      path.startsWith(`${first} `) ? [path.slice(first.length + 1)] : []
    );
    const own = commands.find(({ path }) => path === first);
    const [word = "", ...more] = (own?.words ?? []).map(offered);
    return {
      command: first,
      options: own?.options ?? [],
      words: [join(...new Set([...seconds, ...word === "" ? [] : [word]])), ...more],
      mixed: true,
    };
  });
  const pairs = commands.filter(({ path }) => path.includes(" ")).map((one): Offer => ({
    command: one.path,
    options: one.options,
    words: one.words.map(offered),
    mixed: true,
  }));
  return [top, ...alone, ...pairs];
}

const wordCases = (all: readonly Offer[]): string =>
  all.flatMap(({ command, words }) =>
    words.map((word, place) =>
      word === "" ? "" : `        "${command}"/${place}) words="${word}" ;;\n`
    )
  ).join("");

const optionCases = (all: readonly Offer[]): string =>
  all.map(({ command, options, mixed }) => {
    const names = options.map(({ name }) => name).join(" ");
    const place = mixed ? "*" : "0";
    return names === "" ? "" : `        "${command}"/${place}) words="$words ${names}" ;;\n`;
  }).join("");
