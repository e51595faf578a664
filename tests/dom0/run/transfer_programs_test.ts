// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Copying between dom0 and qubes: whole or not at all, bounded, and with nothing that a qube chooses
 * being read as a command. qvm-run here is a few lines over the real bash, which plays the qube.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { transferPrograms } from "../../../dom0/run/transfer_programs.ts";
import { sha256Hex } from "../../../shared/io/sha256.ts";
import { isPresent } from "../../../shared/io/sync_files.ts";
import { writeExecutable } from "../../executable.ts";
import { until } from "../../until.ts";
import { modeOf, namesIn, withFolder, withSmallDisk } from "../fixture.ts";

const ID = "20261122-091500-4242-a1b2c3d4";

interface End {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Scene {
  /** A folder of dom0. */
  readonly dom0: string;
  /** The home folder of a qube: "work" runs, and "vault"; "off" does not. */
  home(vm: string): string;
  /** What runs in the place of the qube's bash, until it is null again. */
  instead(script: string | null): void;
  start(words: readonly string[], keptFreeBytes?: number): Deno.ChildProcess;
  run(words: readonly string[], keptFreeBytes?: number): Promise<End>;
}

/** As qvm-run does it: the command goes before what comes on stdin, to a shell in the qube. */
const qvmRun = (folder: string): string =>
  `#!/bin/bash
while [ "$1" != -- ]; do shift; done
export HOME=${folder}/qubes/$2
[ -d "$HOME" ] && [ "$2" != off ] || exit 1
if [ -e ${folder}/instead ]; then exec bash ${folder}/instead "$3"; fi
{ printf '%s; exit\\n' "$3"; cat; } | (cd && exec setsid bash)
`;

const QVM_CHECK = `#!/bin/bash
[ "\${!#}" != off ]
`;

async function withScene(act: (scene: Scene) => Promise<void>): Promise<void> {
  await withFolder(async (given) => {
    const folder = Deno.realPathSync(given);
    for (const name of ["bin", "dom0", "qubes/work", "qubes/vault", "qubes/off"]) {
      Deno.mkdirSync(`${folder}/${name}`, { recursive: true });
    }
    writeExecutable(`${folder}/bin/qvm-run`, qvmRun(folder));
    writeExecutable(`${folder}/bin/qvm-check`, QVM_CHECK);
    const start = ([program = "", ...args]: readonly string[], keptFreeBytes = 0) =>
      new Deno.Command("setsid", {
        args: [
          "/bin/bash",
          "-c",
          transferPrograms(keptFreeBytes).get(program) ?? "",
          program,
          ...args,
        ],
        ...{ cwd: "/", clearEnv: true, stdin: "null", stdout: "piped", stderr: "piped" },
        env: { PATH: `${folder}/bin:/usr/bin:/bin`, QVM_REMOTE_ID: ID },
      }).spawn();
    await act({
      dom0: `${folder}/dom0`,
      home: (vm) => `${folder}/qubes/${vm}`,
      instead(script) {
        if (script === null) return Deno.removeSync(`${folder}/instead`);
        Deno.writeTextFileSync(`${folder}/instead`, script);
      },
      start,
      async run(words, keptFreeBytes) {
        const { code, stdout, stderr } = await start(words, keptFreeBytes).output();
        const text = new TextDecoder();
        return { code, out: text.decode(stdout), err: text.decode(stderr) };
      },
    });
  });
}

/** More than one piece, and no whole number of them. */
const LARGE = new Uint8Array(9_000_001).map((_, index) => (index * 7 + (index >> 8)) & 0xff);
const HOSTILE_NAME = `$(id) '";<b>&\\ $HOME `;

Deno.test("a file is fetched whole, private, and checked; its folder in QubesIncoming is made", () =>
  withScene(async ({ dom0, home, run }) => {
    Deno.writeFileSync(`${home("work")}/${HOSTILE_NAME}`, LARGE);
    const path = `${dom0}/QubesIncoming/work/${HOSTILE_NAME}`;
    const { code, out, err } = await run([
      "file-fetch",
      "work",
      `${home("work")}/${HOSTILE_NAME}`,
      path,
    ]);
    assertEquals([code, Deno.readFileSync(path)], [0, LARGE], err);
    const sum = sha256Hex(LARGE);
    assertStringIncludes(out, `file ${path}\nin dom0\nbytes 9000001\nsha256_of_source ${sum}\n`);
    assertStringIncludes(out, `sha256_of_copy ${sum}\ncompared equal\n`);
    assertMatch(err, /^progress 9000001 9000001 \d+$/m);
    assertEquals(modeOf(path), 0o600);
    const other = `${dom0}/other`;
    assertEquals((await run(["file-fetch", "work", `~/${HOSTILE_NAME}`, other])).code, 0);
    assertEquals(Deno.readFileSync(other), LARGE);
    assertEquals(namesIn(`${dom0}/QubesIncoming/work`).length, 1, "nothing beside it");
    const again = await run(["file-fetch", "work", `${home("work")}/${HOSTILE_NAME}`, path]);
    assertEquals(again.code, 1);
    assertStringIncludes(again.err, "there is something of that name in dom0");
  }));

Deno.test("a file is sent whole, into QubesIncoming or where it is told, and never over one", () =>
  withScene(async ({ dom0, home, run }) => {
    Deno.writeFileSync(`${dom0}/${HOSTILE_NAME}`, LARGE);
    const { code, out, err } = await run(["file-send", "work", `${dom0}/${HOSTILE_NAME}`]);
    const landed = `${home("work")}/QubesIncoming/dom0/${HOSTILE_NAME}`;
    assertEquals([code, Deno.readFileSync(landed)], [0, LARGE], err);
    assertStringIncludes(out, `file ~/QubesIncoming/dom0/${HOSTILE_NAME}\nin work\n`);
    assertStringIncludes(out, `sha256_of_copy ${sha256Hex(LARGE)}\n`);
    assertEquals(namesIn(`${home("work")}/QubesIncoming/dom0`), [HOSTILE_NAME]);
    const again = await run(["file-send", "work", `${dom0}/${HOSTILE_NAME}`]);
    assertEquals(again.code, 1);
    assertStringIncludes(again.err, "there is something of that name in work");
    Deno.symlinkSync("/nowhere", `${home("work")}/link`);
    for (const [to, why] of [["link", "something of that name"], ["no/x", "no such folder"]]) {
      const end = await run([
        "file-send",
        "--to",
        `${home("work")}/${to}`,
        "work",
        `${dom0}/${HOSTILE_NAME}`,
      ]);
      assertEquals(end.code, 1);
      assertStringIncludes(end.err, why ?? "");
    }
    Deno.symlinkSync(`${dom0}/${HOSTILE_NAME}`, `${dom0}/link`);
    assertStringIncludes((await run(["file-send", "work", `${dom0}/link`])).err, "not a regular");
  }));

Deno.test("a file goes from one qube into another, checked at both ends", () =>
  withScene(async ({ home, run }) => {
    Deno.writeFileSync(`${home("work")}/a b`, LARGE);
    Deno.writeTextFileSync(`${home("work")}/empty`, "");
    const { code, err, out } = await run(["file-copy", "work", `${home("work")}/a b`, "vault"]);
    assertEquals(code, 0, err);
    assertEquals(Deno.readFileSync(`${home("vault")}/QubesIncoming/work/a b`), LARGE);
    assertStringIncludes(out, "in vault\n");
    assertEquals((await run(["file-copy", "work", `${home("work")}/empty`, "vault"])).code, 0);
    const again = await run(["file-copy", "work", `${home("work")}/a b`, "vault"]);
    assertEquals([again.code, again.out], [1, ""]);
    assertStringIncludes(again.err, "there is something of that name in vault");
    assertEquals(namesIn(`${home("vault")}/QubesIncoming/work`), ["a b", "empty"]);
    assertEquals((await run(["file-copy", "work", `${home("work")}/a b`, "work"])).code, 1);
  }));

Deno.test("what cannot be fetched is said in words, and leaves nothing", () =>
  withScene(async ({ dom0, home, run, instead }) => {
    Deno.writeTextFileSync(`${home("work")}/file`, "12345");
    Deno.symlinkSync("/etc", `${dom0}/etc`);
    const fetch = (vm: string, from: string, to = "new", ...more: string[]) =>
      run(["file-fetch", ...more, vm, `${home(vm)}/${from}`, `${dom0}/${to}`]);
    const cases: readonly (readonly [Promise<End>, string])[] = [
      [fetch("off", "file"), "off does not run: start it first"],
      [fetch("work", "gone"), "no such file in work"],
      [fetch("work", "."), "not a regular file in work"],
      [fetch("work", "file", "etc/x"), "no such folder, or a link leads there"],
      [fetch("work", "file", "no/x"), "no such folder, or a link leads there"],
      [fetch("work", "file", "new", "--most", "4"), "it has 5 bytes, and at most 4 are taken"],
    ];
    for (const [end, why] of cases) {
      const { code, err, out } = await end;
      assertEquals([code, out], [1, ""]);
      assertStringIncludes(err, why);
    }
    const full = await run(["file-fetch", "work", `${home("work")}/file`, `${dom0}/new`], 2 ** 60);
    assertStringIncludes(full.err, "no room: it has 5 bytes, and dom0 has");
    for (const size of ["", "-1", "x", "9".repeat(400), "1e3", "0x10", "$(id)", "a[$(id)]"]) {
      instead(`printf '%s\\n' '${size}'`);
      const { code, err } = await fetch("work", "file");
      assertEquals(code, 1, size);
      assertStringIncludes(err, "work does not say how large it is");
    }
    assertEquals(namesIn(dom0), ["etc"]);
  }));

/** Answers as a qube would that says SIZE and HASH, and then runs SCRIPT for the bytes. */
const lying = (size: number, hash: string, script: string): string => `
case $1 in
  *stat*) echo ${size} ;;
  *sha256sum*) echo "${hash}  -" ;;
  *) ${script} ;;
esac
`;

Deno.test("a qube that sends too little, too much, or something else leaves nothing in dom0", () =>
  withScene(async ({ dom0, home, run, instead }) => {
    const fetch = () => run(["file-fetch", "work", `${home("work")}/x`, `${dom0}/new`]);
    const sum = sha256Hex("12345");
    instead(lying(5, sum, "printf 123"));
    assertStringIncludes((await fetch()).err, "it changed while it was copied");
    instead(lying(5, sum, "printf 12345; yes"));
    assertEquals([(await fetch()).code, Deno.readTextFileSync(`${dom0}/new`)], [0, "12345"]);
    Deno.removeSync(`${dom0}/new`);
    instead(lying(5, sum, "printf 54321"));
    assertStringIncludes((await fetch()).err, "it changed while it was copied");
    instead(lying(5, "no hash", "printf 12345"));
    assertStringIncludes((await fetch()).err, "work gives no SHA-256");
    instead(lying(5, sum, "echo hostile >&2; exit 77"));
    const { err } = await fetch();
    assertStringIncludes(err, "(code 77)");
    assertEquals(err.includes("hostile"), false, "its error texts are its own");
    assertEquals(namesIn(dom0), []);
  }));

Deno.test("room is looked at while it comes, too", () =>
  withScene(({ home, run, instead }) =>
    withSmallDisk(24 * 1024, async (given) => {
      const small = Deno.realPathSync(given);
      const other = `head -c 12000000 /dev/zero >${small}/other; head -c 8000000 /dev/zero`;
      instead(lying(8_000_000, sha256Hex(new Uint8Array(8_000_000)), other));
      const words = ["file-fetch", "work", `${home("work")}/x`, `${small}/new`];
      const { code, err } = await run(words, 6_000_000);
      assertEquals(code, 1);
      assertStringIncludes(err, "no room any more");
      assertEquals(namesIn(small), ["other"]);
    })
  ));

Deno.test("a copy that is ended leaves nothing at either end", () =>
  withScene(async ({ dom0, home, start, instead }) => {
    const endOnce = async (words: readonly string[], isSo: () => boolean): Promise<End> => {
      const child = start(words);
      const output = child.output();
      await until(words.join(" "), isSo);
      Deno.kill(-child.pid, "SIGTERM"); // as the daemon does it: all of it
      const { code, stdout } = await output;
      return { code, out: new TextDecoder().decode(stdout), err: "" };
    };
    const began = `${home("work")}/began`;
    const slow = `printf 123; echo >${began}; sleep 600`;
    instead(lying(50, sha256Hex(""), slow));
    const fetch = ["file-fetch", "work", `${home("work")}/x`, `${dom0}/new`];
    const fetched = await endOnce(fetch, () => isPresent(began));
    assertEquals([fetched.code, fetched.out, namesIn(dom0)], [143, "", []]);
    instead(null);
    Deno.writeTextFileSync(`${home("work")}/large`, "");
    Deno.truncateSync(`${home("work")}/large`, 2 ** 33);
    const incoming = `${home("vault")}/QubesIncoming/work`;
    instead(`case $1 in *mktemp*) ;; *sha256sum*) echo ${sha256Hex("")}; exit ;; esac
{ printf '%s; exit\\n' "$1"; cat; } | (cd && exec setsid bash)`);
    const copy = ["file-copy", "work", `${home("work")}/large`, "vault"];
    const copied = await endOnce(copy, () => isPresent(incoming) && namesIn(incoming).length > 0);
    assertEquals([copied.code === 0, copied.out], [false, ""]);
    await until("the qube has removed its part", () => namesIn(incoming).length === 0);
  }));

Deno.test("a folder of a qube is listed as it says, within bounds", () =>
  withScene(async ({ home, run, instead }) => {
    Deno.writeTextFileSync(`${home("work")}/file`, "12345", { mode: 0o644 });
    Deno.mkdirSync(`${home("work")}/folder`);
    Deno.symlinkSync("folder", `${home("work")}/to folder`);
    Deno.writeTextFileSync(`${home("work")}/line\nend`, "");
    const { code, out, err } = await run(["file-browse", "work", home("work")]);
    assertEquals(code, 0, err);
    assertEquals((await run(["file-browse", "work", "~"])).out, out);
    Deno.writeTextFileSync(`${home("work")}/folder/~`, "");
    assertMatch((await run(["file-browse", "work", "~/folder"])).out, /^f 0 .* ~\n$/);
    assertEquals(
      out.trimEnd().split("\n").map((line) => line.replace(/^(.) .* \d+ /, "$1 ")),
      ["f file", "d folder", "d to folder"],
    );
    assertStringIncludes((await run(["file-browse", "work", "/no such"])).err, "no such folder");
    assertStringIncludes((await run(["file-browse", "off", "/"])).err, "does not run");
    instead("yes");
    assert((await run(["file-browse", "work", "/"])).out.length <= 1024 ** 2);
  }));
