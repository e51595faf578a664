// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One module out of small ones: what a browser would ask for in ten requests it gets in one. Nothing
 * is made shorter or rewritten; each module becomes a function that returns what it exports.
 *
 *     const live_js = (() => {              live.js, which main.js imports
 *     ...
 *     return { onLive, startLive };
 *     })();
 *     const { startLive } = live_js;        main.js, as it is but for this line
 *
 * It knows the forms that browser/ uses, and fails on any other: a test and every start run it.
 *
 * @module
 */

/** `import { a, b } from "./x.js";` or `import "./x.js";` */
const IMPORT = /^import (?:\{(\s*\w+(?:,\s*\w+)*,?\s*)\} from )?"\.\/([\w.]+)";$/gm;
/** An exported value never changes: it is a function or a constant. */
const EXPORT = /^export (?=(?:async )?function (\w+)|const (\w+))/gm;
const OTHER_FORM = /^(?:import|export)\b.*/m;

/**
 * @param sources each module's text by its file name
 * @throws {Error} a bug in a module: a form that is not known, an import of nothing, or in a circle
 */
export function joinModules(entry: string, sources: ReadonlyMap<string, string>): string {
  const order: string[] = [];
  const visit = (name: string, importers: readonly string[]): void => {
    if (importers.includes(name)) throw new Error(`bug: ${name} imports itself`);
    if (order.includes(name)) return;
    for (const [, names = "", imported = ""] of textOf(name, sources).matchAll(IMPORT)) {
      visit(imported, [...importers, name]);
      const exported = exportsOf(textOf(imported, sources));
      const missing = (names.match(/\w+/g) ?? []).find((one) => !exported.includes(one));
      if (missing !== undefined) throw new Error(`bug: ${imported} exports no ${missing}`);
    }
    order.push(name);
  };
  visit(entry, []);
  return order.map((name) => {
    const text = textOf(name, sources);
    return name === entry ? body(name, text) : wrapped(name, text);
  }).join("\n");
}

function textOf(name: string, sources: ReadonlyMap<string, string>): string {
  const text = sources.get(name);
  if (text === undefined) throw new Error(`bug: there is no module ${name}`);
  return text;
}

function wrapped(name: string, text: string): string {
  const returned = `return { ${exportsOf(text).join(", ")} };`;
  return `const ${variable(name)} = (() => {\n${body(name, text)}${returned}\n})();\n`;
}

function exportsOf(text: string): readonly string[] {
  return [...text.matchAll(EXPORT)].map(([, called, constant]) => called ?? constant ?? "");
}

function body(name: string, text: string): string {
  const joined = text
    .replace(
      IMPORT,
      (_, names: string | undefined, imported: string) =>
        names === undefined ? "" : `const {${names}} = ${variable(imported)};`,
    )
    .replace(EXPORT, "");
  const [other] = OTHER_FORM.exec(joined) ?? [];
  if (other !== undefined) throw new Error(`bug: ${name}: ${other}`);
  return joined;
}

function variable(name: string): string {
  return name.replaceAll(".", "_");
}
