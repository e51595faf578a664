// SPDX-License-Identifier: GPL-2.0-or-later
/** The project's own source files, as the tests about structure look at them. @module */

import { assertEquals } from "@std/assert";

export const ROOT = new URL("../", import.meta.url);
export const CODE_FOLDERS = ["dom0", "vm", "shared", "tests"] as const;

/** Holds samples of what is forbidden: nothing that it imports counts. */
export const RULES_FILE = "tests/import_rules_test.ts";

export interface SourceFile {
  /** From the root of the repository, as "dom0/record/ledger.ts". */
  readonly path: string;
  readonly text: string;
  /** Without comments; strings stay. */
  readonly code: string;
  readonly imports: readonly string[];
}

function sourceFiles(folder: string): SourceFile[] {
  return readFolder(folder).flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return sourceFiles(path);
    if (!name.endsWith(".ts")) return [];
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    const code = withoutComments(text);
    return [{ path, text, code, imports: path === RULES_FILE ? [] : importsOf(code) }];
  });
}

function readFolder(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(new URL(folder, ROOT))];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Strings and regular expressions are stepped over, so that "//" in them is no comment. */
export function withoutComments(text: string): string {
  const token =
    /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[^])*`|(?<=[=(,:;!&|?{}\[\n]\s*)\/(?![*\/])(?:[^\/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/|\/\/[^\n]*|\/\*[^]*?\*\//g;
  return text.replace(token, (found) => /^\/[\/*]/.test(found) ? " " : found);
}

/** "process-limit" names no process. Templates stay: there is code in them. */
export function withoutStrings(code: string): string {
  return code.replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""');
}

/** Specifiers of static imports and exports, of import() and of import types. */
export function importsOf(code: string): string[] {
  const statement =
    /(?:^|\n)\s*(?:import|export)\s[^"'`;=()]*?\bfrom\s+["']([^"'\n]+)["']|(?:^|\n)\s*import\s+["']([^"'\n]+)["']|\bimport\s*\(\s*["'`]([^"'`\n]+)["'`]/g;
  return [...code.matchAll(statement)].map(([, from, effect, called]) =>
    from ?? effect ?? called ?? ""
  );
}

/** A relative specifier as a path from the root. */
export function resolve(from: string, specifier: string): string {
  return new URL(specifier, new URL(from, "file:///")).pathname.slice(1);
}

export const isRelative = (specifier: string): boolean => /^\.\.?\//.test(specifier);

/** Each thing that is wrong, one a line: the message says what broke where. */
export function assertNone(broken: readonly string[], rule: string): void {
  assertEquals(broken.join("\n"), "", rule);
}

export const FILES: readonly SourceFile[] = CODE_FOLDERS.flatMap(sourceFiles);

export const under = (...folders: readonly string[]): SourceFile[] =>
  FILES.filter(({ path }) => folders.some((folder) => path.startsWith(`${folder}/`)));
