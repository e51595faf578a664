// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Makes a manual page of its source. In the source,
 *
 *     .OPTION timeout          heads the text about --timeout, and
 *     .OPTION AGENT-VM agent-vm    that about a word and the option that says the same;
 *     .COMMAND key gen         heads the text about a command; several are parted by commas;
 *     .OPTIONS, .COMMANDS      stand for everything that the page does not describe itself, each with
 *                              the line about it that is in the program's table.
 *
 * What an option or a command is called, its short name, its value and its words are in the table
 * alone. A page that names something that does not exist, or leaves something out, is an error. Pure.
 *
 * @module
 */

import type { Command, CommandLine } from "./command_lines.ts";
import type { OptionLine } from "./usage.ts";

/** @throws {Error} naming what the page has too much or lacks */
export function manPage(source: string, line: CommandLine): string {
  const options = new Map(
    [...line.commands, line].flatMap((one) => one.options).map((option) => [option.name, option]),
  );
  const commands = new Map(line.commands.map((command) => [command.path, command]));
  const described = new Set([...source.matchAll(/^\.(?:OPTION|COMMAND) (.+)$/gm)].flatMap(
    ([, names = ""]) =>
      names.includes(",") || commands.has(names) ? names.split(", ") : [
        names,
        ...names.split(" ").map((name) => `--${name}`),
      ],
  ));
  const left = {
    options: line.options.filter(({ name }) => !described.has(name)),
    commands: line.commands.filter(({ path }) => !described.has(path)),
  };
  const text = source.split("\n").map((row) => {
    const [, macro, names = ""] = /^\.(OPTIONS?|COMMANDS?)\b ?(.*)$/.exec(row) ?? [];
    switch (macro) {
      case "OPTION":
        return head(names.split(" ").map((name) => optionHead(name, options, line)));
      case "COMMAND":
        return head(names.split(", ").map((path) => commandHead(path, commands, line)));
      case "OPTIONS":
        return left.options.splice(0).map((one) => withAbout(optionText(one), one)).join("\n");
      case "COMMANDS":
        return left.commands.splice(0).map((one) => withAbout(commandText(one), one)).join("\n");
      default:
        return row;
    }
  }).join("\n").replace(/\n{2,}/g, "\n");
  const missing = [
    ...left.options.map(({ name }) => name),
    ...left.commands.map((one) => one.path),
  ];
  if (missing.length > 0) {
    throw new Error(`the page of ${line.program} leaves out ${missing.join(", ")}`);
  }
  return text;
}

const head = (parts: readonly string[]): string => `.TP\n${parts.join(", ")}`;

function withAbout(text: string, { about }: OptionLine | Command): string {
  if (about === undefined) throw new Error(`there is no line about ${text}`);
  const sentence = `${about.charAt(0).toUpperCase()}${about.slice(1)}.`;
  return `${head([text])}\n${sentence.replaceAll("\\", "\\e").replaceAll("-", "\\-")}`;
}

function optionHead(
  name: string,
  options: ReadonlyMap<string, OptionLine>,
  { program }: CommandLine,
): string {
  const option = options.get(`--${name}`);
  if (option !== undefined) return optionText(option);
  if (/^[A-Z]/.test(name) || name.includes("|")) return inFonts(name);
  throw new Error(`the page of ${program} describes --${name}, which there is not`);
}

function commandHead(
  path: string,
  commands: ReadonlyMap<string, Command>,
  { program }: CommandLine,
): string {
  const command = commands.get(path);
  if (command !== undefined) return commandText(command);
  throw new Error(`the page of ${program} describes the command ${path}, which there is not`);
}

function optionText({ name, short, value = "" }: OptionLine): string {
  const spelled = short === undefined ? inFonts(name) : `${inFonts(short)}, ${inFonts(name)}`;
  return value === "" ? spelled : `${spelled} ${inFonts(value)}`;
}

function commandText({ path, usage }: Command): string {
  return usage === "" ? inFonts(path) : `${inFonts(path)} ${inFonts(usage)}`;
}

/** What is typed literally is bold, a placeholder is italic. */
function inFonts(usage: string): string {
  const fonted = usage.replace(/-{0,2}[A-Za-z@0-9][\w:@-]*|--/g, (word) => {
    const tag = /^(@[a-z]+:)(.+)$/.exec(word);
    if (tag !== null) return `\\fB${tag[1]}\\fI${tag[2]}\\fR`;
    return /^[A-Z]/.test(word) ? `\\fI${word}\\fR` : `\\fB${word}\\fR`;
  });
  return fonted.replaceAll("-", "\\-");
}
