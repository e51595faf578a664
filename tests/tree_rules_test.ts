// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Rules about the tree, as tests: how much a folder, a function and its parameters may hold, where
 * a test lies, and that imports go in no circle.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { dirname } from "@std/path/posix/dirname";
import { assertNone, FILES, isRelative, resolve, ROOT, under } from "./source_files.ts";

const MAX_MODULES = 25;
const MAX_FUNCTION_LINES = 60;
const MAX_PARAMETERS = 6;
const MOST_CLOSURES = 8;

Deno.test(`no folder holds more than ${MAX_MODULES} modules`, () => {
  const counts = new Map<string, number>();
  for (const { path } of under("dom0", "vm", "shared")) {
    counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  }
  assert(counts.size >= 25, `only ${counts.size} folders`);
  const full = [...counts].filter(([, count]) => count > MAX_MODULES);
  assertNone(full.map(([folder, count]) => `${folder} holds ${count}`), "cut it by its ideas");
});

Deno.test("tests mirror the tree: a test lies where the module of its name is", () => {
  const modules = new Set(under("dom0", "vm", "shared").map(({ path }) => path));
  const broken = under("tests/dom0", "tests/vm", "tests/shared").flatMap(({ path, imports }) => {
    const folder = dirname(path).slice("tests/".length);
    if (!isFolder(folder)) return [`${path}: there is no ${folder}`];
    const name = path.slice(dirname(path).length + 1).replace(/_test\.ts$/, ".ts");
    const named = imports.filter(isRelative).map((to) => resolve(path, to))
      .filter((to) => modules.has(to) && to.endsWith(`/${name}`));
    const isBeside = named.length === 0 || named.includes(`${folder}/${name}`);
    return isBeside ? [] : [`${path} tests ${named.join(", ")}`];
  });
  assertNone(broken, "a test is somewhere else than what it tests");
});

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(new URL(path, ROOT)).isDirectory;
  } catch {
    return false;
  }
}

/** Modules that import each other, by whatever way. */
function circles(
  importsOf: ReadonlyMap<string, readonly string[]>,
): readonly (readonly string[])[] {
  const found: string[][] = [];
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    const at = way.indexOf(path);
    if (at >= 0) return void found.push([...way.slice(at), path]);
    if (done.has(path)) return;
    for (const to of importsOf.get(path) ?? []) visit(to, [...way, path]);
    done.add(path);
  };
  for (const path of importsOf.keys()) visit(path, []);
  return found;
}

Deno.test("no module imports itself by way of others, not even for a type", () => {
  const graph = new Map(FILES.map(({ path, imports }) => [
    path,
    imports.filter(isRelative).map((to) => resolve(path, to)),
  ]));
  assertNone(circles(graph).map((circle) => circle.join(" -> ")), "who reads one has to read all");
  const sample = new Map([["a", ["b"]], ["b", ["c", "d"]], ["c", ["a"]], ["d", []]]);
  assertEquals(circles(sample).map((circle) => circle.join()), ["a,b,c,a"]);
});

type FunctionNode =
  | Deno.lint.FunctionDeclaration
  | Deno.lint.FunctionExpression
  | Deno.lint.ArrowFunctionExpression;

/** As Deno's own parser sees them. */
function functionsIn(path: string, text: string): readonly Deno.lint.Diagnostic[] {
  const plugin: Deno.lint.Plugin = {
    name: "tree",
    rules: {
      functions: {
        create(context) {
          const look = (node: FunctionNode): void => {
            const source = context.sourceCode.getText(node);
            const lines = source.split("\n").length;
            const name = /^(?:export )?(?:async )?(?:function\*? ?)?(\w+)/.exec(source)?.[1];
            const shown = `${path}: ${name ?? "a function"}`;
            if (lines > MAX_FUNCTION_LINES) {
              context.report({ node, message: `${shown} has ${lines} lines` });
            }
            if (node.params.length > MAX_PARAMETERS) {
              context.report({ node, message: `${shown} has ${node.params.length} parameters` });
            }
          };
          return {
            FunctionDeclaration: look,
            FunctionExpression: look,
            ArrowFunctionExpression: look,
          };
        },
      },
    },
  };
  return Deno.lint.runPlugin(plugin, path, text);
}

Deno.test(`no function has more than ${MAX_FUNCTION_LINES} lines or ${MAX_PARAMETERS} parameters`, () => {
  const broken = under("dom0", "vm", "shared")
    .flatMap(({ path, text }) => functionsIn(path, text).map(({ message }) => message));
  assertNone(broken, "it holds two ideas");
  const long = `const f = (a, b, c, d, e, g, h) => {${"\n".repeat(MAX_FUNCTION_LINES)}};`;
  assertEquals(functionsIn("sample.ts", long).length, 2);
});

type AnyNode = Deno.lint.Node | Deno.lint.TSParameterProperty;

/** The function that it stands in. */
function holderOf(node: AnyNode): AnyNode | null {
  const parent = "parent" in node ? node.parent : null;
  return parent === null || /Function/.test(parent.type) ? parent : holderOf(parent);
}

/** Functions in a function that have a name and a body of their own: more than three lines. */
function closuresIn(path: string, text: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const plugin: Deno.lint.Plugin = {
    name: "tree",
    rules: {
      closures: {
        create: ({ sourceCode }) => {
          const count = (node: FunctionNode): void => {
            const { type } = node.parent;
            const isNamed = type === "Property" || type === "VariableDeclarator" ||
              node.type === "FunctionDeclaration";
            if (!isNamed || sourceCode.getText(node).split("\n").length <= 3) return;
            const holder = holderOf(node);
            if (holder === null) return;
            const [line = ""] = text.slice(...holder.range).split("\n", 1);
            const key = `${path}: ${line}`;
            counts.set(key, (counts.get(key) ?? 0) + 1);
          };
          return {
            FunctionDeclaration: count,
            FunctionExpression: count,
            ArrowFunctionExpression: count,
          };
        },
      },
    },
  };
  Deno.lint.runPlugin(plugin, path, text);
  return counts;
}

Deno.test(`no function holds ${MOST_CLOSURES + 1} others of more than three lines`, () => {
  const broken = under("dom0", "vm", "shared").flatMap(({ path, text }) =>
    [...closuresIn(path, text)].filter(([, count]) => count > MOST_CLOSURES)
      .map(([where, count]) => `${where} holds ${count}`)
  );
  assertNone(broken, "it holds several ideas");
  const sample = "const f = () => ({ a() {\n\n\n}, b: () => {\n\n\n}, c: () => 1 });";
  assertEquals([...closuresIn("sample.ts", sample).values()], [2]);
});

Deno.test("a literal is written plainly, not spread into another to save lines", () => {
  const spreadsIn = (path: string, text: string): readonly string[] => {
    const plugin: Deno.lint.Plugin = {
      name: "tree",
      rules: {
        spreads: {
          create: (context) => ({
            "SpreadElement > ObjectExpression, SpreadElement > ArrayExpression"(
              node: Deno.lint.Node,
            ) {
              context.report({ node, message: path });
            },
          }),
        },
      },
    };
    return Deno.lint.runPlugin(plugin, path, text).map(({ message }) => message);
  };
  const broken = under("dom0", "vm", "shared").flatMap(({ path, text }) => spreadsIn(path, text));
  assertNone(broken, "the formatter lays it out");
  assertEquals(spreadsIn("sample.ts", "f({ ...{ a }, ...b }, [...[1], ...c]);").length, 2);
});
