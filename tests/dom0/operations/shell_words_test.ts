// SPDX-License-Identifier: GPL-2.0-or-later
import { assert, assertEquals } from "@std/assert";
import { plainWords } from "../../../dom0/operations/shell_words.ts";
import { recogniseScript } from "../../../dom0/operations/recognise.ts";
import { OPERATIONS } from "../../../dom0/operations/table.ts";
import { createPrng } from "../../fuzz/prng.ts";
import { writeExecutable } from "../../executable.ts";

const NOT_WORDS = [
  ...[
    "qvm-ls; id",
    "$(id)",
    "qvm-ls `id`",
    "qvm-ls\nid",
    "qvm-ls | cat",
    "qvm-ls && id",
    "qvm-ls &",
  ],
  ...["qvm-ls > x", "qvm-ls < x", "qvm-ls *", "qvm-ls ?", "qvm-ls [a]", "qvm-ls {a,b}", "qvm-ls ~"],
  ...["qvm-ls $HOME", 'qvm-ls "$HOME"', "qvm-ls a\\ b", 'qvm-ls "a\\"b"', "qvm-ls 'a", 'qvm-ls "a'],
  ...[
    "qvm-ls # all",
    "qvm-ls !1",
    'qvm-ls "!1"',
    "(qvm-ls)",
    "! qvm-ls",
    "qvm-ls a^b",
    "qvm-ls \u3000x",
  ],
  ...[
    "qvm-ls \u00a0",
    "qvm-ls 'a\tb'",
    "qvm-ls 'a\x1b[2J'",
    "qvm-ls '\u202e'",
    "",
    "  ",
    "\n",
    "qvm-ls\r",
  ],
  ...["qvm-ls\n\n", "qvm-ls \\\nwork", "qvm-ls \u200b", "qvm-ls\x0bwork", "qvm-ls\x00"],
];

for (const script of NOT_WORDS) {
  Deno.test(`plainWords() leaves ${JSON.stringify(script)} to bash`, () => {
    assertEquals(plainWords(script), null);
  });
}

Deno.test("plainWords() splits what bash would split, and takes quotes away", () => {
  assertEquals(plainWords(`  qvm-prefs work\t'a b'"c d"e '' "" x=y \n`), [
    ...["qvm-prefs", "work", "a bc de", "", "", "x=y"],
  ]);
  assertEquals(
    plainWords("qvm-notes -f -s 'größer, $x `y` \"z\" \\' work")?.[3],
    'größer, $x `y` "z" \\',
  );
});

/** What bash makes of a script's words: it runs printf in the place of each program of the table. */
async function wordsOfBash(scripts: readonly string[]): Promise<string[][]> {
  const programs = new Set(
    [...OPERATIONS.values()].flatMap(({ steps }) => steps.map((s) => s.program)),
  );
  const folder = await Deno.makeTempDir();
  try {
    for (const program of programs) {
      const text = `#!/bin/bash\nprintf '%s\\0' "\${0##*/}" "$@"\nprintf '\\1\\0'\n`;
      writeExecutable(`${folder}/${program}`, text);
    }
    const found: string[][] = [];
    for (const script of scripts) {
      await Deno.writeTextFile(`${folder}/.script`, script);
      const { stdout } = await new Deno.Command("/bin/bash", {
        args: ["--", `${folder}/.script`],
        clearEnv: true,
        env: { PATH: `${folder}:/usr/bin:/bin`, LANG: "C.UTF-8" },
        stdin: "null",
        stderr: "null",
      }).output();
      found.push(new TextDecoder().decode(stdout).split("\0").slice(0, -1));
    }
    return found;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const PIECES = [
  ...[
    "work",
    "-s",
    "--set",
    "memory",
    "4096",
    "red",
    "''",
    '""',
    "'a b'",
    '"a b"',
    "a'b'c",
    "{a,b}",
  ],
  ...[
    "$x",
    "$(id)",
    "`id`",
    ";",
    "|",
    "&",
    "&&",
    ">",
    "<",
    "*",
    "?",
    "[a]",
    "~",
    "#",
    "\\",
    "\\ ",
    "\n",
  ],
  ...[
    "!",
    "'",
    '"',
    "é",
    "\u3000",
    "\u00a0",
    "‐",
    "=",
    "a=b",
    "%",
    "@",
    "+",
    "^",
    ",",
    "..",
    "/",
    "\t",
    "\r",
  ],
  ...[
    "add",
    "list",
    "del",
    "--force",
    "-f",
    "-p",
    "$'a'",
    '$"a"',
    "<(id)",
    "x\u200by",
    "{",
    "}",
    "(",
    ")",
  ],
];
const SEED = 20_260_219;
const SCRIPTS = 1_500;

Deno.test("no script is an operation unless bash would run the very same words", async () => {
  const random = createPrng(SEED);
  const usages = [...OPERATIONS.values()].flatMap(({ spellings }) =>
    spellings.map(({ usage }) => usage.replaceAll(/[[\]]/g, "").split(" "))
  );
  const scripts = Array.from({ length: SCRIPTS }, () => {
    const words = random.pick(usages).map((token) => {
      const [first = ""] = token.split("|");
      return first.includes("{")
        ? random.pick(["work", "memory", "4096", "red", "'a b'", '""'])
        : first;
    });
    for (let edits = random.below(3); edits > 0; edits--) {
      words.splice(random.below(words.length + 1), 0, random.pick(PIECES));
    }
    return words.join(random.pick([" ", "  ", "\t"]));
  });
  const recognised = scripts.map((script) => recogniseScript(script));
  const some = scripts.filter((_, index) => recognised[index] !== null);
  assert(
    some.length > SCRIPTS / 20,
    `only ${some.length} of ${SCRIPTS} were recognised (seed ${SEED})`,
  );
  const words = await wordsOfBash(some);
  for (const [index, script] of some.entries()) {
    const argv = recogniseScript(script)?.argvs[0] ?? [];
    assertEquals(words[index], [...argv, "\x01"], `seed ${SEED}: ${JSON.stringify(script)}`);
  }
});

/** Characters that bash, a terminal or a person may take for something else. */
const ODD = [
  ..."\u0001\u0007\b\v\f\u001b\u007f\u0085\u00ad\u2028\u2029\u200b\u200e\u202e\ufeff\u0000",
  ..."\uff0d\u2010\u2013\u2014\u2212\u0430\u043e\u0435\uff1b\uff5c\u2019\u201c\uff04\u0301",
  ..."'\"\\$`;&|<>(){}[]*?~#!^=:,%@+-_./ \t\n\r09azAZ",
];
/** In front of a command, each makes another one of it, or none. */
const BEFORE = [
  ...[
    "x=1 ",
    "PATH=/tmp ",
    "time ",
    "exec ",
    "command ",
    "env ",
    "builtin ",
    "! ",
    "( ",
    "{ ",
    "if ",
  ],
  ...[
    "alias qvm-ls=id\n",
    "alias qvm-ls=id; ",
    "shopt -s expand_aliases; ",
    "set -x; ",
    "# ",
    ": ",
    ". ",
  ],
  ...[
    "function qvm-ls { id; }; ",
    "qvm-ls() { id; }\n",
    "\\",
    '"',
    "'",
    "$",
    "$'",
    "<<x ",
    "> x ",
    "2>&1 ",
  ],
  ...["/usr/bin/", "./", "~/", "../", "\u200b", "\ufeff"],
];

Deno.test("no change of a single character makes an operation of what bash reads otherwise", async () => {
  const random = createPrng(SEED + 1);
  const good = [
    ...["qvm-ls --raw-list", "qvm-prefs work memory 400", "qvm-tags work add ai", "qvm-start work"],
    ...["qvm-features work x 'two words'", 'qvm-notes -f -s "a b" work', "xl info", "hostname"],
    "qvm-firewall work add action=accept proto=tcp dstports=443",
  ];
  for (const script of good) assert(recogniseScript(script) !== null, script);
  const changed = good.flatMap((script) => [
    ...BEFORE.map((before) => before + script),
    ...ODD.flatMap((odd) => {
      const at = random.below(script.length + 1);
      const insert = script.slice(0, at) + odd + script.slice(at);
      return [
        insert,
        script.slice(0, at) + odd + script.slice(at + 1),
        `${odd}${script}`,
        script + odd,
      ];
    }),
  ]);
  const some = changed.filter((script) => recogniseScript(script) !== null);
  assert(some.length > 100, `only ${some.length} of ${changed.length} were recognised`);
  for (const script of some) {
    assert(!BEFORE.some((before) => script.startsWith(before)), JSON.stringify(script));
  }
  const words = await wordsOfBash(some);
  for (const [index, script] of some.entries()) {
    const argv = recogniseScript(script)?.argvs[0] ?? [];
    assertEquals(words[index], [...argv, "\x01"], JSON.stringify(script));
  }
});

Deno.test("no program of the table is a word that bash keeps for itself", async () => {
  const programs = [...OPERATIONS.values()].flatMap(({ steps }) =>
    steps.map((step) => step.program)
  );
  const { stdout } = await new Deno.Command("/bin/bash", {
    args: ["-c", "compgen -b; compgen -k; compgen -a"],
    clearEnv: true,
  }).output();
  const own = new Set(new TextDecoder().decode(stdout).split("\n"));
  assert(own.has("echo") && own.has("if"));
  assertEquals(programs.filter((program) => own.has(program)), []);
});
