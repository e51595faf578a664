// SPDX-License-Identifier: GPL-2.0-or-later
/** Files of dom0: what is asked for, and nothing that a link, a race or a special file leads to. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { withOwnProgram } from "../../../dom0/run/file_programs.ts";
import { sha256Hex } from "../../../shared/io/sha256.ts";
import { modeOf, namesIn, withFolder, withSmallDisk } from "../fixture.ts";

interface End {
  readonly code: number;
  readonly out: Uint8Array;
  readonly text: string;
  readonly err: string;
}

/** As a command of dom0 runs it. @param data the file that it reads on stdin */
async function run(
  words: readonly [string, ...string[]],
  data: Uint8Array | string = "",
): Promise<End> {
  const [program, ...args] = withOwnProgram(words);
  const child = new Deno.Command(program, {
    args,
    cwd: "/",
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", QVM_REMOTE_ID: "20261122-091500-4242-a1b2c3d4" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  await writer.write(bytes).then(() => writer.close()).catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, out: stdout, text: text.decode(stdout), err: text.decode(stderr) };
}

/** A folder by its real path: on some machines /tmp is a link. */
const withScope = (act: (folder: string) => Promise<void>): Promise<void> =>
  withFolder((folder) => act(Deno.realPathSync(folder)));

Deno.test("file.write makes a new file, with its mode and time, and never replaces one", () =>
  withScope(async (folder) => {
    const path = `${folder}/a b's "file"`;
    const made = await run(["file-write", "--mode", "0640", "--mtime", "1000000000", path], "one");
    assertEquals([made.code, made.err], [0, ""]);
    assertEquals(Deno.readTextFileSync(path), "one");
    assertEquals([modeOf(path), Deno.statSync(path).mtime?.getTime()], [0o640, 1e12]);
    const again = await run(["file-write", path], "two");
    assertEquals(again.code, 1);
    assertStringIncludes(again.err, "there is something of that name");
    assertEquals(Deno.readTextFileSync(path), "one");
    assertEquals((await run(["file-replace", path], "two")).code, 0);
    assertEquals([Deno.readTextFileSync(path), modeOf(path)], ["two", 0o644]);
    assertEquals(namesIn(folder).length, 1, "nothing is left beside it");
  }));

Deno.test("file.read gives a file or a part of it, byte for byte", () =>
  withScope(async (folder) => {
    const data = crypto.getRandomValues(new Uint8Array(60_000));
    Deno.writeFileSync(`${folder}/data`, data);
    const whole = await run(["file-read", `${folder}/data`]);
    assertEquals([whole.code, sha256Hex(whole.out)], [0, sha256Hex(data)]);
    const part = await run(["file-read", "--offset", "100", "--bytes", "7", `${folder}/data`]);
    assertEquals([...part.out], [...data.slice(100, 107)]);
    const after = await run(["file-read", "--offset", "60000", `${folder}/data`]);
    assertEquals([after.code, after.out.length], [0, 0]);
  }));

Deno.test("file.stat and file.list say what is there", () =>
  withScope(async (folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "hello\n", { mode: 0o600 });
    Deno.writeTextFileSync(`${folder}/empty`, "");
    Deno.utimeSync(`${folder}/file`, 1e9, 1e9);
    Deno.mkdirSync(`${folder}/sub folder`);
    Deno.symlinkSync("/etc/shadow", `${folder}/link`);
    Deno.writeTextFileSync(`${folder}/line\nend`, "");
    const { text } = await run(["file-stat", "--hash", `${folder}/file`]);
    const version = /^version (.+)$/m.exec(text)?.[1];
    assertEquals(
      text,
      "type regular file\nsize 6\nmode 600\nmtime 1000000000\n" +
        `version ${version}\nsha256 ${sha256Hex("hello\n")}\n`,
    );
    assertStringIncludes((await run(["file-stat", `${folder}/empty`])).text, "type regular file\n");
    assertStringIncludes((await run(["file-stat", folder])).text, "type directory\n");
    const link = await run(["file-stat", "--hash", `${folder}/link`]);
    assertStringIncludes(link.text, "type symbolic link\n");
    assertEquals(link.text.includes("sha256") || link.text.includes("shadow"), false);
    const { text: listed } = await run(["file-list", folder]);
    const names = listed.trimEnd().split("\n").map((line) => line.split(" ").slice(4).join(" "));
    assertEquals(names, ["empty", "file", "link", "sub folder"], "a line end cannot be asked for");
    assert(listed.includes("f 6 600 1000000000 file\n"), listed);
  }));

Deno.test("no link is followed: not at the end of a path, and not on the way", () =>
  withScope(async (folder) => {
    const [scope, other] = [`${folder}/scope`, `${folder}/other`];
    for (const name of [scope, other]) Deno.mkdirSync(name);
    Deno.writeTextFileSync(`${other}/secret`, "secret\n");
    Deno.symlinkSync(`${other}/secret`, `${scope}/file`);
    Deno.symlinkSync(other, `${scope}/folder`);
    Deno.symlinkSync(`${other}/new`, `${scope}/dangling`);
    const tries: readonly (readonly [string, ...string[]])[] = [
      ["file-read", `${scope}/file`],
      ["file-read", `${scope}/folder/secret`],
      ["file-stat", `${scope}/folder/secret`],
      ["file-list", `${scope}/folder`],
      ["file-write", `${scope}/file`],
      ["file-write", `${scope}/dangling`],
      ["file-write", `${scope}/folder/new`],
      ["file-replace", `${scope}/file`],
      ["file-replace", `${scope}/dangling`],
      ["file-replace", `${scope}/folder/secret`],
      ["file-mkdir", `${scope}/folder`],
      ["file-mkdir", `${scope}/folder/new`],
    ];
    for (const words of tries) {
      const { code, text, err } = await run(words, "changed\n");
      assertEquals(code, 1, words.join(" "));
      assertEquals((text + err).includes("secret\n"), false, words.join(" "));
      assertEquals((text + err).includes(other), false, "what lies elsewhere is not named");
    }
    assertEquals(Deno.readTextFileSync(`${other}/secret`), "secret\n");
    assertEquals(namesIn(other), ["secret"]);
    assertEquals(namesIn(scope), ["dangling", "file", "folder"]);
    // Whether something is there, behind the link, cannot be told from the answer.
    const [there, gone] = [
      await run(["file-list", `${scope}/folder`]),
      await run(["file-list", `${scope}/nothing`]),
    ];
    assertEquals(there.err.replace("folder\n", ""), gone.err.replace("nothing\n", ""));
  }));

Deno.test("special files, and places that hold none, are refused", () =>
  withScope(async (folder) => {
    await new Deno.Command("mkfifo", { args: [`${folder}/fifo`] }).output();
    using _socket = Deno.listen({ transport: "unix", path: `${folder}/socket` });
    for (const name of ["fifo", "socket"]) {
      const { code, err } = await run(["file-read", `${folder}/${name}`]);
      assertEquals(code, 1, name);
      assertStringIncludes(err, "not a regular file");
      assertEquals((await run(["file-replace", `${folder}/${name}`], "x")).code, 1);
    }
    assertEquals((await run(["file-read", folder])).code, 1, "a folder");
    assertEquals((await run(["file-replace", folder], "x")).code, 1, "a folder");
    for (const path of ["/proc/version", "/sys/kernel/uevent_seqnum"]) {
      const { code, text, err } = await run(["file-read", path]);
      assertEquals([code, text], [1, ""], path);
      assertStringIncludes(err, "not a place for files");
    }
  }));

Deno.test("a link that is put in place between look and use leads nowhere", () =>
  withScope(async (folder) => {
    const [scope, other] = [`${folder}/scope`, `${folder}/other`];
    for (const name of [scope, `${scope}/real`, other]) Deno.mkdirSync(name);
    Deno.writeTextFileSync(`${scope}/real/file`, "ours\n");
    Deno.writeTextFileSync(`${other}/file`, "secret\n");
    // All the time the folder is the real one, or a link that leads out, or not there.
    const swapper = new Deno.Command("/bin/bash", {
      args: [
        "-c",
        `cd "$0"; while [ ! -e stop ]; do mv real kept; ln -s ../other real; rm real; mv kept real; done`,
        scope,
      ],
      stdin: "null",
      stderr: "null",
    }).spawn();
    const seen = new Set<string>();
    try {
      for (let n = 0; n < 60; n++) {
        const read = await run(["file-read", `${scope}/real/file`]);
        seen.add(read.text);
        await run(["file-replace", `${scope}/real/new`], "pushed\n");
        await run(["file-mkdir", `${scope}/real/made`]);
      }
    } finally {
      Deno.writeTextFileSync(`${scope}/stop`, "");
      await swapper.status;
    }
    assertEquals([...seen].filter((text) => text !== "" && text !== "ours\n"), []);
    assertEquals(namesIn(other), ["file"], "nothing was written out there");
    assertEquals(Deno.readTextFileSync(`${other}/file`), "secret\n");
  }));

Deno.test("a full disk leaves no part of a file, and says so", () =>
  withSmallDisk(256, async (folder) => {
    const { code, err } = await run(["file-write", `${folder}/large`], "x".repeat(400_000));
    assertEquals(code, 1);
    assertStringIncludes(err, "no room on the disk");
    assertEquals(namesIn(folder), []);
  }));

Deno.test("what a kill left is removed by the next write, and what is being written is not", () =>
  withScope(async (folder) => {
    const [left, busy] = ["20261122-080000-1-00000001", "20261122-090000-1-00000002"];
    for (const id of [left, busy]) Deno.writeTextFileSync(`${folder}/.qvm-remote-${id}`, "part");
    Deno.symlinkSync("/etc/hostname", `${folder}/.qvm-remote-20261122-090000-1-00000003`);
    using file = Deno.openSync(`${folder}/.qvm-remote-${busy}`);
    file.lockSync(true);
    Deno.writeTextFileSync(`${folder}/there`, "");
    for (const name of ["new", "there"]) await run(["file-write", `${folder}/${name}`], "x");
    const names = namesIn(folder).filter((name) => !name.endsWith("3"));
    assertEquals(names, [`.qvm-remote-${busy}`, "new", "there"]);
  }));

Deno.test("what came in a file gets a second name in its file system, or is copied", () =>
  withScope(async (folder) => {
    const [data, plain, shared] = [`${folder}/data`, `${folder}/plain`, `${folder}/shared`];
    for (const place of [plain, shared]) Deno.mkdirSync(place);
    Deno.chmodSync(shared, 0o2755);
    for (const [place, isSame] of [[plain, true], [shared, false]] as const) {
      Deno.writeTextFileSync(data, "checked");
      const { ino } = Deno.statSync(data);
      for (const word of ["file-write", "file-replace"] as const) {
        const [program, ...args] = withOwnProgram([word, "--mode", "0640", `${place}/file`]);
        const { code, stderr } = await new Deno.Command("/bin/sh", {
          args: ["-c", `exec "$@" <'${data}'`, "sh", program, ...args],
          env: { QVM_REMOTE_ID: "20261122-091500-4242-a1b2c3d4" },
        }).output();
        assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
        const info = Deno.statSync(`${place}/file`);
        assertEquals([info.ino === ino, modeOf(`${place}/file`)], [isSame, 0o640], word);
        assertEquals(Deno.readTextFileSync(`${place}/file`), "checked");
        if (word === "file-write") Deno.removeSync(`${place}/file`);
      }
      assertEquals(namesIn(place), ["file"]);
      Deno.removeSync(data);
      assertEquals(Deno.statSync(`${place}/file`).nlink, 1);
    }
  }));

Deno.test("a folder is made once, and is left as it is after that", () =>
  withScope(async (folder) => {
    assertEquals((await run(["file-mkdir", "--mode", "0700", `${folder}/new`])).code, 0);
    assertEquals((await run(["file-mkdir", "--mode", "0755", `${folder}/new`])).code, 0);
    assertEquals(modeOf(`${folder}/new`), 0o700);
    Deno.writeTextFileSync(`${folder}/file`, "");
    assertEquals((await run(["file-mkdir", `${folder}/file`])).code, 1);
    assertEquals((await run(["file-mkdir", `${folder}/a/b`])).code, 1, "one at a time");
  }));
