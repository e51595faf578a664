// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Installing and upgrading leave the system's folders as they are, and what a person edited. The
 * folders stand as dom0 has some of them, root:qubes 2775.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { PROJECT } from "./e2e/program_flags.ts";
import { commandsOf } from "./e2e/typing.ts";
import { type Made, make, mode, tempFolder } from "./install_make.ts";
import { writeExecutable } from "./executable.ts";

const SYSTEM_FOLDERS = [
  ...[".", "etc", "etc/qubes", "etc/qubes/policy.d", "etc/qubes-rpc", "usr", "usr/bin", "usr/lib"],
  ...["usr/lib/systemd", "usr/lib/systemd/system", "usr/lib/systemd/user", "usr/share"],
  ...["usr/share/man", "usr/share/man/man1", "usr/share/man/man8"],
  ...["usr/share/bash-completion", "usr/share/bash-completion/completions"],
];
const QUBES_GID = 98;
const POLICY = "etc/qubes/policy.d/30-qvm-remote.policy";
const CONFIG = "etc/qubes/remote.conf";
const EDITED = "# mine\n";

/** As a system before the first installation. Another group than one's own takes root. */
function prepare(root: string): void {
  for (const folder of SYSTEM_FOLDERS) {
    Deno.mkdirSync(folder === "." ? root : `${root}/${folder}`, { recursive: true });
    if (Deno.uid() === 0) Deno.chownSync(`${root}/${folder}`, 0, QUBES_GID);
    Deno.chmodSync(`${root}/${folder}`, 0o2775);
  }
}

function changedFolders(root: string): readonly string[] {
  const gid = Deno.uid() === 0 ? QUBES_GID : Deno.statSync(`${root}/usr`).gid;
  return SYSTEM_FOLDERS.filter((folder) =>
    mode(`${root}/${folder}`) !== 0o2775 || Deno.statSync(`${root}/${folder}`).gid !== gid
  );
}

/** Installs, lets a person edit and a program grow old, and installs again. */
async function installTwice(root: string, install: () => Promise<string>): Promise<string> {
  prepare(root);
  await install();
  assertEquals(changedFolders(root), [], "after the first installation");
  assertEquals([mode(`${root}/${CONFIG}`), mode(`${root}/${POLICY}`)], [0o600, 0o664]);
  assertEquals(mode(`${root}/etc/qubes/remote.d`) & 0o777, 0o700);
  for (const path of [POLICY, CONFIG]) Deno.writeTextFileSync(`${root}/${path}`, EDITED);
  const replaced = ["usr/bin/qvm-remote-dom0", "etc/qubes-rpc/openclaw.Notice"];
  for (const path of replaced) Deno.writeTextFileSync(`${root}/${path}`, "old");
  const said = await install();
  assertEquals(changedFolders(root), [], "after the upgrade");
  for (const path of [POLICY, CONFIG]) {
    assertEquals(Deno.readTextFileSync(`${root}/${path}`), EDITED, path);
    assertStringIncludes(said, path);
  }
  for (const path of replaced) assertEquals(Deno.statSync(`${root}/${path}`).size > 3, true, path);
  const shipped = `${root}/usr/share/qubes-claw/policies/30-qvm-remote.policy`;
  assertEquals(
    Deno.readTextFileSync(shipped),
    Deno.readTextFileSync(`${PROJECT}/policies/30-qvm-remote.policy`),
  );
  return said;
}

const wellMade = async (made: Promise<Made>): Promise<string> => {
  const { code, stdout } = await made;
  assertEquals(code, 0);
  return stdout;
};

Deno.test("install-dom0, twice: no system folder changes, edited files stay and are named", async () => {
  await using folder = await tempFolder();
  await installTwice(folder.path, () => wellMade(make(folder.path, "install-dom0")));
});

Deno.test("install-vm, twice: no system folder changes", async () => {
  await using folder = await tempFolder();
  prepare(folder.path);
  for (const _ of ["installed", "upgraded"]) {
    await wellMade(make(folder.path, "install-vm"));
    assertEquals(changedFolders(folder.path), []);
  }
});

Deno.test("README, installing into dom0, twice: the same, by its own lines", async () => {
  await using folder = await tempFolder();
  const root = `${folder.path}/dom0`;
  const bin = `${folder.path}/bin`;
  await Deno.mkdir(bin);
  await Deno.symlink(PROJECT, `${folder.path}/qubes-claw`);
  const write = (name: string, text: string): void =>
    writeExecutable(`${bin}/${name}`, `#!/bin/sh\n${text}\n`);
  write("sudo", 'exec "$@"');
  write("systemctl", `echo "$@" >>${folder.path}/asked`);
  write("qvm-run", `cd ${folder.path} && exec sh -c "$3"`);
  const lines = (await commandsOf({ page: "README.md", heading: "Install on Qubes" }, {
    "# in the VM:": "VM",
    "# in dom0:": "dom0",
  }))
    .map(({ place, text }) => ({
      cwd: place === "VM" ? PROJECT : folder.path,
      text: text.replaceAll("-C / ", `-C ${root} `).replace(
        "make ",
        `make DENO=${Deno.execPath()} `,
      ),
    }));
  await installTwice(root, async () => {
    let said = "";
    for (const { cwd, text } of lines) {
      const { code, stdout, stderr } = await new Deno.Command("bash", {
        args: ["-c", text],
        env: { PATH: `${bin}:${Deno.env.get("PATH")}`, LC_ALL: "C" },
        cwd,
      }).output();
      const output = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
      assertEquals(code, 0, `${text}\n${output}`);
      said = text.includes("--skip-old-files") ? output : said;
    }
    return said;
  });
  assertEquals(Deno.readTextFileSync(`${folder.path}/asked`), "daemon-reload\n".repeat(2));
  const listed = await new Deno.Command("tar", { args: ["-tzf", `${folder.path}/dom0.tgz`] })
    .output();
  const foreign = new TextDecoder().decode(listed.stdout).trimEnd().split("\n")
    .filter((entry) =>
      entry.endsWith("/") && !/(qubes-claw|remote\.d|remote-policy\.d)\//.test(entry)
    );
  assertEquals(foreign, [], "folders that are not the project's own");
});
