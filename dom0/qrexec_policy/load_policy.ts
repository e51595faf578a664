// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * From files to one list of rules, in the order in which they are asked.
 *
 * All or nothing: a mistake in any file that is read refuses every call there is. Which files are
 * read, and in which order, is decided by their names alone, over both folders together.
 *
 * @module
 */
import { Refused, syntaxError } from "./policy_error.ts";
import type { PolicyFiles } from "./policy_files.ts";
import {
  parseRest,
  parseRule,
  parseSubject,
  type Rule,
  stripped,
  type Subject,
  words,
} from "./rule.ts";

/** A file in the first hides one of the same name in the second. */
export const POLICY_FOLDERS = ["/run/qubes/policy.d", "/etc/qubes/policy.d"] as const;
/** What "!compat-4.0" reads: one file for each service, named after it. */
export const OLD_POLICY_FOLDER = "/etc/qubes-rpc/policy";

const SUFFIX = ".policy";
const ALLOWED_NAME = /^[0-9a-z_.-]+$/;
const IGNORED_OLD = [".rpmsave", ".rpmnew", ".swp"] as const;
const ALLOWED_OLD_NAME = /^[A-Za-z0-9+._-]+$/;

/** @throws {Refused} nothing at all is allowed, for this reason */
export function loadPolicy(files: PolicyFiles): readonly Rule[] {
  const found = new Map<string, string>();
  for (const folder of POLICY_FOLDERS) {
    for (const name of policyNames(files, folder)) {
      if (!found.has(name)) found.set(name, folder);
    }
  }
  return [...found.keys()].sort().flatMap((name) => {
    const folder = found.get(name) ?? "";
    return load({ files, folder, path: `${folder}/${name}`, open: [] });
  });
}

/** The names that are read, in order. A bad one refuses all; one without the suffix is ignored. */
function policyNames(files: PolicyFiles, folder: string): readonly string[] {
  const all = files.list(folder);
  if (all === undefined) throw new Refused(`${folder}: not a folder`);
  // A name that is nothing but the suffix begins with a dot.
  const names = all.filter((name) => name.endsWith(SUFFIX) && !name.startsWith("."));
  const bad = names.find((name) => !ALLOWED_NAME.test(name));
  if (bad !== undefined) throw new Refused(`${folder}/${bad}: a name in other than a-z 0-9 _ . -`);
  return names.sort();
}

/** A file that is being read. */
interface Loading {
  readonly files: PolicyFiles;
  /** What included paths start from: the policy folder, wherever the including file is. */
  readonly folder: string;
  readonly path: string;
  /** The files that led to it, so that a circle ends. */
  readonly open: readonly string[];
}

function load(loading: Loading): readonly Rule[] {
  return linesOf(loading).flatMap(({ line, at }) =>
    line.startsWith("!") ? directive(loading, line, at) : [parseRule(line, at)]
  );
}

/** A file of the old form: its lines begin with the source. */
function loadOld(loading: Loading, subject: Subject): readonly Rule[] {
  return linesOf(loading).flatMap(({ line: written, at }) => {
    const line = written.replaceAll("$include:", "!include ").replaceAll("$", "@")
      .replaceAll(",", " ");
    if (!line.startsWith("!")) return [parseRest(subject, words(line), at)];
    const [name, ...parameters] = words(line);
    if (name !== "!include") throw syntaxError(at, `unknown directive "${name}"`);
    const [path] = exactly(1, parameters, at);
    return loadOld(included(loading, path), subject);
  });
}

function directive(loading: Loading, line: string, at: string): readonly Rule[] {
  const [name, ...parameters] = words(line);
  switch (name) {
    case "!include":
      return load(included(loading, exactly(1, parameters, at)[0]));
    case "!include-dir": {
      const folder = absolute(loading, exactly(1, parameters, at)[0]);
      return policyNames(loading.files, folder)
        .flatMap((file) => load(included(loading, `${folder}/${file}`)));
    }
    case "!include-service": {
      const [service, argument, path] = exactly(3, parameters, at);
      return loadOld(included(loading, path), parseSubject(service, argument, at));
    }
    case "!compat-4.0":
      exactly(0, parameters, at);
      return loadCompat(loading);
    default:
      throw syntaxError(at, `unknown directive "${name}"`);
  }
}

/** The old folder: files of arguments before the one of the service. Each of the former ends in
 * "deny" for what it does not name; the latter does not, so that later files may still decide. */
function loadCompat({ files, open, path }: Loading): readonly Rule[] {
  const folder = OLD_POLICY_FOLDER;
  const names = files.list(folder);
  if (names === undefined) throw new Refused(`${folder}: not a folder`);
  const read = names.filter((name) =>
    !name.startsWith(".") && ALLOWED_OLD_NAME.test(name) &&
    !IGNORED_OLD.some((suffix) => name.endsWith(suffix))
  ).map((name) => {
    const plus = name.indexOf("+");
    return plus < 0
      ? { name, service: name, argument: "*" }
      : { name, service: name.slice(0, plus), argument: name.slice(plus) };
  });
  // "+" sorts before "*" only by this rule, not by its code.
  const key = ({ argument }: typeof read[number]) => argument === "*" ? "~" : argument;
  read.sort((a, b) => compare(a.service, b.service) || compare(key(a), key(b)));
  return read.flatMap(({ name, service, argument }) => {
    const at = `${folder}/${name}`;
    const subject = parseSubject(service, argument, at);
    const rules = loadOld({ files, folder, path: at, open: [...open, path] }, subject);
    if (argument === "*") return rules;
    const deny = (target: string) => parseRest(subject, ["@anyvm", target, "deny"], at);
    return [...rules, deny("@anyvm"), deny("@adminvm")];
  });
}

const compare = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0;

function included(loading: Loading, written: string): Loading {
  const path = absolute(loading, written);
  const open = [...loading.open, loading.path];
  // The engine fails in another way (too deep a recursion); what the caller sees is the same.
  if (open.includes(path)) throw new Refused(`${path}: includes itself`);
  return { ...loading, path, open };
}

function absolute({ folder }: Loading, written: string): string {
  return written.startsWith("/") ? written : `${folder}/${written}`;
}

/** The lines that say something, with where they stand. */
function linesOf({ files, path }: Loading): readonly { line: string; at: string }[] {
  const text = files.read(path);
  if (text === undefined) throw new Refused(`${path}: not a file`);
  return text.split(/\r\n|\r|\n/)
    .map((line, i) => ({ line: stripped(line), at: `${path}:${i + 1}` }))
    .filter(({ line }) => line !== "" && !line.startsWith("#"));
}

function exactly(count: 0, words: readonly string[], at: string): readonly [];
function exactly(count: 1, words: readonly string[], at: string): readonly [string];
function exactly(count: 3, words: readonly string[], at: string): readonly [string, string, string];
function exactly(count: number, words: readonly string[], at: string): readonly string[] {
  if (words.length !== count) throw syntaxError(at, `wants ${count} words`);
  return words;
}
