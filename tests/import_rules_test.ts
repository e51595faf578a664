// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Rules about structure, as tests: who may import whom, who may do I/O, who is a program.
 * Folders that do not exist are passed over; what was looked at is counted.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  assertNone,
  CODE_FOLDERS,
  FILES,
  importsOf,
  isRelative,
  resolve,
  ROOT,
  RULES_FILE,
  under,
  withoutComments,
  withoutStrings,
} from "./source_files.ts";

/** Folder -> folders its files may import from. The first that fits a file counts. */
const MAY_IMPORT: readonly (readonly [folder: string, from: readonly string[]])[] = [
  ["shared/protocol/", ["shared/protocol/"]],
  ["shared/packaging/", ["dom0/", "vm/", "shared/"]], // builds them; nothing of it is installed
  ["shared/", ["shared/"]],
  ["dom0/", ["dom0/", "shared/"]],
  ["vm/", ["vm/", "shared/"]],
];

/** What the protocol core may not even name, in code: it is bytes and values. */
const DOES_IO =
  /\b(Deno|fetch|process|navigator|WebSocket|setTimeout|setInterval|queueMicrotask|performance|console|Date\.now|new Date\(\))(?![\w])/;

/** Programs by another name, each with a reason. */
const OTHER_PROGRAMS: ReadonlySet<string> = new Set([
  "tests/bench/bench.ts",
  "tests/e2e/demo.ts",
  "tests/fuzz/fuzz.ts", // called by make, not installed
  "tests/sim/sim_cli.ts", // started by the launchers that the simulation writes
]);

/** The imports of deno.json: names, and what they stand for. */
const { imports: MAPPED }: { readonly imports: Readonly<Record<string, string>> } = JSON.parse(
  Deno.readTextFileSync(new URL("deno.json", ROOT)),
);

/** A hyphenated or dotted file name is a program, named as it is installed. */
function isProgram(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1).replace(/(\.d)?\.ts$/, "");
  return /[-.]/.test(name) || OTHER_PROGRAMS.has(path);
}

Deno.test("the rules look at the code that is there", () => {
  const protocol = under("shared/protocol");
  assert(protocol.length >= 16, `only ${protocol.length} files of shared/protocol`);
  assert(under("tests").length >= 25, `only ${under("tests").length} files of tests`);
  const imports = FILES.reduce((sum, file) => sum + file.imports.length, 0);
  assert(imports >= 2 * FILES.length, `only ${imports} imports in ${FILES.length} files`);
  for (const folder of CODE_FOLDERS) {
    console.log(`import rules: ${under(folder).length} files of ${folder}`);
  }
});

Deno.test("every file imports only from the folders it may", () => {
  const broken: string[] = [];
  for (const { path, imports } of FILES) {
    const [, from] = MAY_IMPORT.find(([folder]) => path.startsWith(folder)) ?? [];
    if (from === undefined) continue; // tests import everything
    for (const specifier of imports.filter(isRelative)) {
      const to = resolve(path, specifier);
      if (!from.some((folder) => to.startsWith(folder))) broken.push(`${path} imports ${to}`);
    }
  }
  assertNone(broken, "a folder is imported that may not be");
});

/** What an operator does takes values and gives values: the command line's words stay in dom0/cli. */
const NO_WORDS = ["dom0/operator", "dom0/admin", "dom0/admin_orders", "dom0/daemon"];

Deno.test("nothing but the command line's program goes through the words of the command line", () => {
  const files = under(...NO_WORDS);
  assert(files.length >= 60, `only ${files.length} files`);
  const broken = files.flatMap(({ path, imports }) =>
    imports.filter(isRelative).map((specifier) => resolve(path, specifier))
      .filter((to) => to.startsWith("dom0/cli/")).map((to) => `${path} imports ${to}`)
  );
  assertNone(broken, "an action is a function of dom0/operator");
});

Deno.test("every relative import names a file that is there, with its .ts", () => {
  const known = new Set(FILES.map(({ path }) => path));
  const broken = FILES.flatMap(({ path, imports }) =>
    imports.filter(isRelative).map((specifier) => resolve(path, specifier))
      .filter((to) => !known.has(to) && !/\.(json|js|css|svg)$/.test(to))
      .map((to) => `${path} imports ${to}`)
  );
  assertNone(broken, "an import leads nowhere");
});

Deno.test("shared/protocol imports only itself and does no I/O", () => {
  const broken = under("shared/protocol").flatMap(({ path, code, imports }) => {
    const named = DOES_IO.exec(withoutStrings(code))?.[0];
    return [
      ...imports.filter((specifier) => !isRelative(specifier)).map((to) => `${path} imports ${to}`),
      ...(named === undefined ? [] : [`${path} names ${named}`]),
    ];
  });
  assertNone(broken, "the protocol core is bytes and values");
});

/** Asking the machine for the time; "new Date(ms)" does not. */
const ASKS_TIME = /\bDate\s*\.\s*now\b|\bDate\s*\(\s*\)|\bperformance\s*\.\s*now\b/;
const CLOCK_FILE = "shared/io/clock.ts";

Deno.test("only one module asks the machine what time it is", () => {
  const asking = under("dom0", "shared", "vm/remote").filter(({ code }) =>
    ASKS_TIME.test(withoutStrings(code))
  ).map(({ path }) => path);
  assertNone(asking.filter((path) => path !== CLOCK_FILE), `dates and spans are of ${CLOCK_FILE}`);
  assertEquals(asking, [CLOCK_FILE], "the rule sees nothing");
  const bad = ["Date.now()", "nowMs: Date.now,", "new Date()", "Date()", "performance.now()"];
  for (const code of bad) assert(ASKS_TIME.test(code), `${code} is not seen`);
  for (const code of ["new Date(ms)", "Date.parse(text)", "Date.UTC(2026)", "performance.mark()"]) {
    assert(!ASKS_TIME.test(code), `${code} is taken for asking`);
  }
});

/** Where a change is promised to somebody: it must be on the disk before that is said. */
const PROMISES = [
  ...["dom0/cli/commands/", "dom0/settings/key_store.ts"],
  ...[
    "dom0/record/ledger.ts",
    "dom0/migration/apply.ts",
    "dom0/setup/apply.ts",
    "vm/ports/",
    "vm/setup/apply.ts",
  ],
  ...["shared/setup/", "vm/remote/files/key_file.ts"],
];
/** Removing a whole tree is no promise: what is left of it is nobody's. */
const NOT_DURABLE = new RegExp(
  "\\bwriteAtomically\\b|" +
    "\\bDeno\\.(?:rename|link|symlink|mkdir|writeFile|writeTextFile|remove\\((?![^)]*recursive))",
);

Deno.test("what is promised is written and removed by durable.ts", () => {
  const promising = FILES.filter(({ path }) => PROMISES.some((start) => path.startsWith(start)));
  assert(promising.length >= 20, `only ${promising.length} files`);
  const broken = promising.flatMap(({ path, code }) =>
    (NOT_DURABLE.exec(withoutStrings(code)) ?? []).map((what) => `${path} has ${what}`)
  );
  assertNone(broken, "a power cut could take it back");
  for (const code of ["await Deno.remove(path)", "writeAtomically(a, b)", "Deno.rename(a, b)"]) {
    assert(NOT_DURABLE.test(code), `${code} is not seen`);
  }
  assert(!NOT_DURABLE.test("Deno.remove(path, { recursive: true })"));
});

/** The one package of npm in what is installed, and who may import it. */
const MCP_PACKAGE = "@modelcontextprotocol/server";
const MCP_FOLDER = "vm/mcp/";

Deno.test("what is installed imports no package but @std, node: builtins and, for an agent, MCP's", () => {
  const isAllowed = (path: string, to: string): boolean =>
    isRelative(to) || to.startsWith("node:") || to.startsWith("@std/") ||
    [MCP_PACKAGE, `${MCP_PACKAGE}/stdio`].includes(to) &&
      path.startsWith(MCP_FOLDER);
  const broken = under("dom0", "shared", "vm").flatMap(({ path, imports }) =>
    imports.filter((to) => !isAllowed(path, to)).map((to) => `${path} imports ${to}`)
  );
  assertNone(broken, "other packages of npm are for tests only");
});

Deno.test("no program but qvm-remote-mcp reaches the code that imports MCP's package", () => {
  const broken = under("dom0", "shared", "vm").flatMap(({ path, imports }) =>
    path.startsWith(MCP_FOLDER) || path === "vm/qvm-remote-mcp.ts"
      ? []
      : imports.filter(isRelative).map((to) => resolve(path, to))
        .filter((to) => to.startsWith(MCP_FOLDER)).map((to) => `${path} imports ${to}`)
  );
  assertNone(broken, "the others start faster without it");
});

/** Their launchers start them without deno.json: a machine that boots in a test has no registry. */
const WITHOUT_CONFIG = [
  "tests/sim/",
  "tests/e2e/gateway-double.ts",
  "tests/e2e/stand-in-server.ts",
];

Deno.test("the simulation's programs reach no package", () => {
  const byPath = new Map(FILES.map((file) => [file.path, file]));
  const broken: string[] = [];
  const reached = new Set(
    FILES.map(({ path }) => path)
      .filter((path) => isProgram(path) && WITHOUT_CONFIG.some((start) => path.startsWith(start))),
  );
  assert(reached.size >= 7, `only ${reached.size} programs`);
  for (const path of reached) {
    for (const to of byPath.get(path)?.imports ?? []) {
      if (isRelative(to)) reached.add(resolve(path, to));
      else if (!to.startsWith("node:")) broken.push(`${path} imports ${to}`);
    }
  }
  assertNone(broken, "no VM of the simulation would start");
});

Deno.test("each package is mapped to one exact version, and something uses it", () => {
  const packages = Object.entries(MAPPED).filter(([name]) => !name.startsWith("@std/"));
  assert(packages.length >= 6, `only ${packages.length} packages`);
  const used = new Set(under("tests", "vm/mcp").flatMap(({ imports }) => imports));
  const broken = packages.flatMap(([name, to]) => [
    ...(/^npm:(@[\w-]+\/)?[\w-]+@\d+\.\d+\.\d+(\/\w+)?$/.test(to)
      ? []
      : [`${name} is mapped to ${to}`]),
    ...(used.has(name) ? [] : [`nobody imports ${name}`]),
  ]);
  assertNone(broken, "a package that may change, or is not needed");
});

Deno.test("nobody imports from the network or by a registry's name", () => {
  const broken = FILES.flatMap(({ path, imports }) =>
    imports.filter((to) => /^(https?|jsr|npm|data|blob|file):/.test(to))
      .map((to) => `${path} imports ${to}`)
  );
  assertNone(broken, "packages are named in deno.json");
});

Deno.test("every @std name that is imported is mapped in deno.json", () => {
  const types = Deno.readTextFileSync(new URL("shared/std.d.ts", ROOT));
  const broken = FILES.flatMap((file) =>
    file.imports.filter((to) => to.startsWith("@std/")).flatMap((to) => [
      ...(Object.hasOwn(MAPPED, to) ? [] : [`${file.path} imports ${to}: not in deno.json`]),
      // Without this line TypeScript takes everything in the package for "any".
      ...(types.includes(`declare module "${to}"`) ? [] : [`${to}: no types in shared/std.d.ts`]),
    ])
  );
  assertNone(broken, "an @std name is unknown");
});

Deno.test("@std is the same from npm and from JSR, and the build from npm is pinned by its hash", () => {
  const jsr: { readonly imports: Readonly<Record<string, string>> } = JSON.parse(
    Deno.readTextFileSync(new URL("shared/packaging/deno.jsr.json", ROOT)),
  );
  const names = Object.keys(MAPPED).filter((name) => name.startsWith("@std/"));
  assertEquals(Object.keys(jsr.imports).filter((name) => name.startsWith("@std/")), names);
  const others = Object.entries(jsr.imports).filter(([name]) => !name.startsWith("@std/"));
  for (const [name, to] of others) assertEquals(to, MAPPED[name], "the same, wherever it is built");
  for (const name of names) {
    const [, of = "", module = ""] = /^@std\/([a-z-]+)(.*)$/.exec(name) ?? [];
    assertEquals(jsr.imports[name], `jsr:@std/${of}@^1${module}`);
    const file = module === "" ? "/mod" : module.replaceAll("-", "_");
    assertEquals(MAPPED[name], `npm:deno-std@1.4.0/${of.replaceAll("-", "_")}${file}.js`);
  }
  const lock = JSON.parse(Deno.readTextFileSync(new URL("deno.lock", ROOT)));
  assert(/^sha512-[\w+/]{86}==$/.test(lock.npm["deno-std@1.4.0"].integrity));
});

Deno.test("a path is taken apart by @std/path", () => {
  const own = new Set(["vm/proxy/config/abilities.ts"]); // a model's name, which is no path
  const broken = under("dom0", "shared", "vm").filter(({ path, code }) =>
    code.includes('lastIndexOf("/")') && !own.has(path)
  );
  assertNone(broken.map(({ path }) => path), "dirname() and basename() know the odd cases");
});

Deno.test("only programs touch Deno.args and Deno.exit", () => {
  const broken = FILES.filter(({ path }) => !isProgram(path)).flatMap(({ path, code }) =>
    (code.match(/\bDeno\s*\.\s*(args|exit)\b(?!Code)/g) ?? []).map((what) => `${path} uses ${what}`)
  );
  assertNone(broken.filter((line) => !line.startsWith(RULES_FILE)), "no program");
});

/** Files whose signal lives no longer than the one thing that listens to it. */
const SHORT_SIGNALS: ReadonlySet<string> = new Set([
  "vm/ctl/commands/logs.ts", // of the program, which listens once and ends
  "vm/proxy/cursor/attempt_cursor.ts", // of one request
  "vm/proxy/attempt/upstream_fetch.ts", // of one request
]);

Deno.test("who listens to a signal stops listening; nobody races the end of the program", () => {
  const broken = under("dom0", "shared", "vm").flatMap(({ path, code }) => {
    const count = (call: string): number => code.split(`.${call}("abort"`).length - 1;
    const once = path === "shared/io/timing.ts" ? 1 : 0; // aborted(), to be awaited to its end
    const listens = count("addEventListener") - count("removeEventListener") > once;
    return [
      ...(listens && !SHORT_SIGNALS.has(path) ? [`${path} goes on listening`] : []),
      ...(/Promise\.race\(\[[^\]]*\baborted\(/.test(code) ? [`${path} races aborted()`] : []),
    ];
  });
  assertNone(broken, "in a program that runs for weeks listeners pile up");
});

Deno.test("nobody imports a program", () => {
  const broken = FILES.filter(({ path }) => !path.startsWith("tests/")).flatMap((file) =>
    file.imports.filter(isRelative).map((to) => resolve(file.path, to)).filter((to) =>
      to.endsWith(".ts") && isProgram(to)
    )
      .map((to) => `${file.path} imports ${to}`)
  );
  assertNone(broken, "what two programs need is a module");
});

Deno.test("every file begins with its licence", () => {
  const broken = FILES.filter(({ text }) => {
    const first = text.startsWith("#!") ? text.slice(text.indexOf("\n") + 1) : text;
    return !first.startsWith("// SPDX-License-Identifier: GPL-2.0-or-later\n");
  }).map(({ path }) => path);
  assertNone(broken, "no SPDX line");
});

Deno.test("there are no default exports, no casts to any, no modules that only pass on others", () => {
  const rules: readonly (readonly [rule: string, pattern: RegExp])[] = [
    ["a default export", /\bexport\s+default\b|\bexport\s*\{[^}]*\bas\s+default\b/],
    ["a cast to any", new RegExp("\\bas\\s+any\\b|<any>\\s*[\\w(]")],
    ["export * from", /\bexport\s+\*/],
  ];
  const broken = FILES.flatMap(({ path, code }) =>
    path === RULES_FILE
      ? []
      : rules.filter(([, pattern]) => pattern.test(code)).map(([rule]) => `${path} has ${rule}`)
  );
  assertNone(broken, "house rules");
});

Deno.test("modules are snake_case, one concept each; tests are named after them", () => {
  const broken = FILES.filter(({ path }) => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    return !isProgram(path) && !/^[a-z0-9_]+(\.d)?\.ts$/.test(name);
  }).map(({ path }) => path);
  assertNone(broken, "neither a module's name nor a program's");
});

/** What the rules must see, in code made up for it: a rule that sees nothing proves nothing. */
const SAMPLES: readonly (readonly [code: string, imports: string])[] = [
  ['import { a } from "./a.ts";', "./a.ts"],
  ['import type { A } from "../a.ts";\nimport b from "npm:b";', "../a.ts npm:b"],
  ['import {\n  a,\n  type B,\n} from "@std/x";', "@std/x"],
  ['export { a } from "./a.ts";', "./a.ts"],
  ['export * from "./a.ts";', "./a.ts"],
  ['import "./effect.ts";', "./effect.ts"],
  ['const a = await import("./late.ts");', "./late.ts"],
  ['type A = import("./types.ts").A;', "./types.ts"],
  ['// import { a } from "./a.ts";\nlet b = 1;', ""],
  ['/* import { a } from "./a.ts"; */', ""],
  ['const url = "http://x"; // import "./a.ts"', ""],
  ["const slashes = /[/*]/;\nimport { a } from './a.ts';", "./a.ts"],
  ['export const a = 1;\nconst b = "./c.ts";', ""],
  ['export interface A {\n  readonly kind: "from";\n}', ""],
  ['export type A = "a" | "b";', ""],
  ['export function f() {\n  return "x";\n}', ""],
  ['export class A extends B {\n  from = "x";\n}', ""],
];

Deno.test("the rules see every form of import, and none in a comment", () => {
  for (const [code, want] of SAMPLES) {
    assertEquals(importsOf(withoutComments(code)).join(" "), want, code);
  }
});

Deno.test("the rule about I/O sees what it must, and words that only look like it not", () => {
  const bad = ["Deno.open()", "fetch(url)", "process.exit()", "setTimeout(f)", "Date.now()"];
  bad.push("setInterval(f)", "new Date()", "globalThis.Deno", "performance.now()");
  bad.push("`${Deno.pid}`");
  for (const code of bad) {
    assert(DOES_IO.test(withoutStrings(withoutComments(code))), `${code} is not seen`);
  }
  const good = ["// Deno", "/* fetch */", "new Date(ms)", "processed", "prefetch", "isDeno1"];
  good.push('"process-limit"', "'Deno'");
  for (const code of good) {
    const seen = DOES_IO.test(withoutStrings(withoutComments(code)));
    assert(!seen, `${code} is taken for I/O`);
  }
});

Deno.test("a program is told by its name", () => {
  for (const path of ["dom0/qvm-remote-dom0.ts", "vm/qvm-remote.ts", "vm/qvmremote.Queue.ts"]) {
    assert(isProgram(path), `${path} is a program`);
  }
  for (const path of ["dom0/record/ledger.ts", "shared/std.d.ts", "tests/a-b/c_test.ts"]) {
    assert(!isProgram(path), `${path} is none`);
  }
});
