// SPDX-License-Identifier: GPL-2.0-or-later
/** upgrade by an archive, in a folder that stands for dom0, as processes of their own. @module */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { sha256Hex } from "../../../shared/io/sha256.ts";
import { writeExecutable } from "../../executable.ts";
import { modeOf, namesIn, runTool, withFolder } from "../fixture.ts";

const PROJECT = new URL("../../../", import.meta.url).pathname;
const LIST =
  "/usr/bin/qvm-remote-dom0\n/usr/lib/qubes-claw/install-dom0\n/usr/share/qubes-claw/dom0-files\n";

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Dom0 {
  readonly root: string;
  /** With what is typed. */
  run(words: readonly string[], input?: string): Promise<Ended>;
  program(): string;
}

/** A program that is told apart by its text, and whose check of itself ends so. */
const program = (text: string, checks: 0 | 1): string => `#!/bin/sh\n# ${text}\nexit ${checks}\n`;

function putTree(root: string, text: string, checks: 0 | 1): void {
  for (const folder of ["usr/bin", "usr/lib/qubes-claw", "usr/share/qubes-claw", "etc/qubes"]) {
    Deno.mkdirSync(`${root}/${folder}`, { recursive: true });
  }
  writeExecutable(`${root}/usr/bin/qvm-remote-dom0`, program(text, checks));
  writeExecutable(
    `${root}/usr/lib/qubes-claw/install-dom0`,
    Deno.readTextFileSync(`${PROJECT}shared/packaging/install-dom0`),
  );
  Deno.writeTextFileSync(`${root}/usr/share/qubes-claw/dom0-files`, LIST);
  Deno.writeTextFileSync(`${root}/etc/qubes/remote.conf`, `# ${text}\n`);
}

/** A release of one archive with its sums. @returns the archive */
async function pack(folder: string, text: string, checks: 0 | 1): Promise<string> {
  putTree(`${folder}/tree`, text, checks);
  await Deno.mkdir(`${folder}/dist`, { recursive: true });
  const archive = `${folder}/dist/q.tgz`;
  const entries = [
    ...LIST.trimEnd().split("\n").map((path) => path.slice(1)),
    "etc/qubes/remote.conf",
  ];
  await runTool("tar", "-C", `${folder}/tree`, "-czf", archive, ...entries);
  const sum = sha256Hex(await Deno.readFile(archive));
  await Deno.writeTextFile(`${folder}/dist/SHA256SUMS`, `${sum}  q.tgz\n`);
  return archive;
}

/** systemctl does nothing, and the daemon does not run. qvm-run gives files of a VM named work. */
function putTools(bin: string, vmHome: string): void {
  Deno.mkdirSync(bin);
  writeExecutable(`${bin}/systemctl`, "#!/bin/sh\n[ $1 != is-active ]\n");
  writeExecutable(`${bin}/logger`, "#!/bin/sh\nexit 0\n");
  writeExecutable(`${bin}/rpm`, "#!/bin/sh\nexit 1\n");
  const call = "--pass-io --no-gui --no-autostart -- work";
  writeExecutable(
    `${bin}/qvm-run`,
    `#!/bin/sh\n[ "$1 $2 $3 $4 $5" = "${call}" ] || exit 255\ncd ${vmHome} && eval "$6"\n`,
  );
}

async function withDom0(test: (dom0: Dom0, folder: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const root = `${folder}/dom0`;
    putTree(root, "old", 0);
    Deno.writeTextFileSync(`${root}/etc/qubes/remote.conf`, "# mine\n");
    putTools(`${folder}/bin`, folder);
    const run: Dom0["run"] = async (words, input = "") => {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "--no-check", "-A", `${PROJECT}dom0/qvm-remote-dom0.ts`, ...words],
        clearEnv: true,
        env: {
          HOME: Deno.env.get("HOME") ?? "/root",
          DENO_DIR: Deno.env.get("DENO_DIR") ?? "",
          PATH: `${folder}/bin:/usr/bin:/bin`,
          QUBES_CLAW_ROOT: root,
          NO_COLOR: "1",
        },
        ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
      }).spawn();
      const written = new Blob([input]).stream().pipeTo(child.stdin).catch(() => {});
      const { code, stdout, stderr } = await child.output();
      await written;
      const text = new TextDecoder();
      return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
    };
    const read = (): string => Deno.readTextFileSync(`${root}/usr/bin/qvm-remote-dom0`);
    await test({ root, run, program: read }, folder);
  });
}

Deno.test("upgrade: shown, asked, installed, and taken back; what a person edited stays", () =>
  withDom0(async ({ root, run, program: installed }, folder) => {
    const none = await run(["upgrade"]);
    assertEquals([none.code, none.stdout.split("\n")[0]], [0, "There was no upgrade yet."]);
    const archive = await pack(folder, "new", 0);
    const unwilling = await run(["upgrade", "--yes", archive], "yes\n");
    assertEquals(unwilling.code, 1);
    assertStringIncludes(
      unwilling.stdout,
      `q.tgz\n  sha256 ${sha256Hex(Deno.readFileSync(archive))}, as SHA256SUMS says\n`,
    );
    assertStringIncludes(unwilling.stdout, "Signed: by nobody: no signature\n");
    assertStringIncludes(unwilling.stderr, "error: not upgraded");
    assertEquals(installed(), program("old", 0));

    const upgraded = await run(["upgrade", archive], "unsigned\n");
    assertEquals(upgraded.code, 0, upgraded.stderr);
    assertMatch(
      upgraded.stdout,
      /\nupgraded; "qvm-remote-dom0 upgrade --rollback" goes back to 2\.0\.0\n$/,
    );
    assertEquals([installed(), modeOf(`${root}/usr/bin/qvm-remote-dom0`)], [
      program("new", 0),
      0o755,
    ]);
    assertEquals(Deno.readTextFileSync(`${root}/etc/qubes/remote.conf`), "# mine\n");
    assertMatch((await run(["upgrade"])).stdout, /^The last upgrade was from 2\.0\.0, on 2/);

    assertEquals((await run(["upgrade", "--rollback"])).code, 0);
    assertEquals(installed(), program("old", 0));
    assertEquals(
      (await run(["upgrade", "--resume"])).stderr.split("\n")[0],
      "qvm-remote-dom0: error: no upgrade is unfinished",
    );
    const audit = Deno.readTextFileSync(`${root}/var/log/qubes/qvm-remote.log`);
    assertMatch(audit, /OPERATOR action=upgrade says="upgraded;[^]*says="2\.0\.0 is back"/);
  }));

Deno.test("upgrade: a program that fails its check is taken back, and a changed file is not unpacked", () =>
  withDom0(async ({ root, run, program: installed }, folder) => {
    await pack(folder, "broken", 1);
    const failed = await run(["upgrade", "work:dist/q.tgz"], "unsigned\n"); // from a VM
    assertEquals(failed.code, 1, failed.stdout);
    assertStringIncludes(
      failed.stderr,
      "error: not upgraded, 2.0.0 is back: try: the check ended with 1",
    );
    assertStringIncludes(failed.stdout, "going back to 2.0.0: failed at the step try: ");
    assertEquals(installed(), program("old", 0));

    Deno.writeTextFileSync(`${folder}/dist/q.tgz`, "changed on its way");
    for (const from of ["work:dist/q.tgz", `${folder}/dist/q.tgz`]) {
      const { code, stdout, stderr } = await run(["upgrade", from], "unsigned\n");
      assertEquals([code, stdout], [1, ""]);
      assertMatch(stderr, /error: q\.tgz has the hash [0-9a-f]{64}, and SHA256SUMS says/);
    }
    const absent = await run(["upgrade", "work:dist/none.tgz"], "unsigned\n");
    assertStringIncludes(absent.stderr, "error: there is no work:dist/none.tgz");
    assertEquals(installed(), program("old", 0));
    assertEquals(namesIn(`${root}/var/lib/qvm-remote/upgrade`).includes("check"), false);
  }));

const REFUSED: readonly (readonly [words: readonly string[], code: number, says: string])[] = [
  [["--resume", "--rollback"], 2, "exclude each other"],
  [["--rollback"], 1, "there was no upgrade that could be taken back"],
  [["--resume", "q.tgz"], 2, "unexpected word: q.tgz"],
  [["/tmp/a.rpm"], 1, "what is installed came from an archive: upgrade it by an archive"],
  [["/tmp/a.deb"], 2, "neither a package nor an archive"],
  [["/tmp/a.tgz", "/tmp/b.tgz"], 2, "an archive is a single file"],
];

Deno.test("upgrade: what cannot be meant is said", () =>
  withDom0(async ({ run }) => {
    for (const [words, code, says] of REFUSED) {
      const ended = await run(["upgrade", ...words]);
      assertEquals([words, ended.code], [words, code], ended.stderr);
      assertStringIncludes(ended.stderr, says);
    }
  }));

Deno.test("self-check: the installed program tries itself, and leaves nothing", () =>
  withDom0(async ({ root, run }) => {
    const { code, stdout, stderr } = await run(["self-check"]);
    assertEquals(
      [code, stdout],
      [0, "A request went from its signature to its outcome.\n"],
      stderr,
    );
    assertEquals(namesIn(`${root}/var/lib/qvm-remote/upgrade`), []);
  }));
