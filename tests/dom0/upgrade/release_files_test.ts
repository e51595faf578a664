// SPDX-License-Identifier: GPL-2.0-or-later
/** What is to be installed comes into a private folder, bounded, and is checked before it is used. @module */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { hasProgram } from "../../../dom0/approval/notify.ts";
import { UsageError, UserError } from "../../../shared/cli/program.ts";
import { sha256Hex } from "../../../shared/io/sha256.ts";
import { bringRelease, parseSource, SIGNATURE, SUMS } from "../../../dom0/upgrade/release_files.ts";
import { checkTrust, trustText } from "../../../dom0/upgrade/trust.ts";
import { modeOf, namesIn, runTool, withFolder, WORK } from "../fixture.ts";

Deno.test("parseSource(): files of dom0, or of one VM, in one folder", () => {
  assertEquals(parseSource(["/tmp/a-1.rpm", "/tmp/b_2~.rpm".replace("~", "")]), {
    vm: null,
    folder: "/tmp",
    names: ["a-1.rpm", "b_2.rpm"],
  });
  assertEquals(parseSource(["work:dist/q.tgz"]), { vm: WORK, folder: "dist", names: ["q.tgz"] });
  assertEquals(parseSource(["q.tgz"]), { vm: null, folder: ".", names: ["q.tgz"] });
});

const BAD_SOURCES: readonly (readonly [words: readonly string[], says: string])[] = [
  [[], "what is to be installed?"],
  [["/tmp/a.rpm", "/opt/b.rpm"], "one folder"],
  [["work:/tmp/a.rpm", "/tmp/b.rpm"], "one folder"],
  [["/tmp/a.rpm", "/tmp/a.rpm"], "given twice"],
  [["/tmp/a.deb"], 'neither a package nor an archive, by its name: "a.deb"'],
  [["work:/tmp/-n.rpm"], "neither a package"],
  [["work:/tmp/a b.rpm"], "neither a package"],
  [["work:/tmp/$(reboot)/a.rpm"], "not the plain name of a folder"],
  [["work:/tmp/a;b/a.rpm"], "not the plain name of a folder"],
  [["none:/tmp/a.rpm"], 'not the name of a qube: "none"'],
];

Deno.test("parseSource(): what could mean something else is refused", () => {
  for (const [words, says] of BAD_SOURCES) assertThrows(() => parseSource(words), UsageError, says);
});

/** A release with one archive, as it lies in dom0. */
function release(folder: string, text = "an archive"): string {
  Deno.mkdirSync(`${folder}/dist`);
  Deno.writeTextFileSync(`${folder}/dist/q.tgz`, text);
  Deno.writeTextFileSync(`${folder}/dist/${SUMS}`, `${sha256Hex("an archive")}  q.tgz\n`);
  return `${folder}/dist/q.tgz`;
}

const archive = (folder: string, keyFile?: string) =>
  ({ folder, names: ["q.tgz"], kind: "archive", keyFile }) as const;

Deno.test("bringRelease(): private copies, the sums with them, and nothing of before", () =>
  withFolder(async (folder) => {
    const source = parseSource([release(folder)]);
    const into = `${folder}/lib/new`;
    Deno.mkdirSync(into, { recursive: true });
    Deno.writeTextFileSync(`${into}/other.rpm`, "");
    await bringRelease(source, into);
    assertEquals([namesIn(into), modeOf(into), modeOf(`${into}/q.tgz`)], [
      [SUMS, "q.tgz"],
      0o700,
      0o600,
    ]);
    const { files, summed, signed } = await checkTrust(archive(into));
    assertEquals([files, summed], [[{ name: "q.tgz", sha256: sha256Hex("an archive") }], true]);
    assertEquals(signed, { by: "nobody", why: "no signature" });
    Deno.removeSync(`${folder}/dist/q.tgz`);
    await assertRejects(
      () => bringRelease(source, into),
      UserError,
      `there is no ${folder}/dist/q.tgz`,
    );
  }));

Deno.test("checkTrust(): another hash, a name that is missing, a line that is none", () =>
  withFolder(async (folder) => {
    release(folder, "another");
    const dist = `${folder}/dist`;
    const refused = (says: string) =>
      assertRejects(() => checkTrust(archive(dist)), UserError, says);
    await refused(
      `q.tgz has the hash ${sha256Hex("another")}, and ${SUMS} says ${sha256Hex("an archive")}`,
    );
    Deno.writeTextFileSync(`${dist}/${SUMS}`, `${sha256Hex("another")}  p.tgz\n`);
    await refused(`${SUMS} does not name q.tgz`);
    Deno.writeTextFileSync(`${dist}/${SUMS}`, "q.tgz\n");
    await refused(`${SUMS} has a line that is none: "q.tgz"`);
    Deno.removeSync(`${dist}/${SUMS}`);
    const trust = await checkTrust(archive(dist));
    assert(trustText(trust, undefined).includes(`there is no ${SUMS} to compare it with`));
    await assertRejects(() => checkTrust(archive(dist, "/key")), UserError, `there is no ${SUMS}`);
  }));

/** A key of gpg's own making, in a folder of its own. @returns its public part */
async function makeKey(home: string, name: string): Promise<string> {
  await Deno.mkdir(home, { mode: 0o700 });
  const gpg = ["--homedir", home, "--batch", "--quiet", "--passphrase", ""];
  await runTool("gpg", ...gpg, "--quick-generate-key", name, "ed25519", "sign", "never");
  await runTool("gpg", ...gpg, "--armor", "--output", `${home}/key.asc`, "--export", name);
  return `${home}/key.asc`;
}

async function sign(home: string, dist: string): Promise<void> {
  const gpg = ["--homedir", home, "--batch", "--yes", "--quiet", "--passphrase", ""];
  await runTool("gpg", ...gpg, "--armor", "--detach-sign", `${dist}/${SUMS}`);
  await runTool("gpgconf", "--homedir", home, "--kill", "gpg-agent");
}

Deno.test("checkTrust(): signed by the key that dom0 has, by another, or changed since", {
  ignore: !hasProgram("gpg"),
}, () =>
  withFolder(async (folder) => {
    release(folder);
    const dist = `${folder}/dist`;
    const ours = await makeKey(`${folder}/ours`, "ours@release");
    const other = await makeKey(`${folder}/other`, "other@release");
    await sign(`${folder}/ours`, dist);
    const { signed } = await checkTrust(archive(dist, ours));
    if (signed.by !== "key") throw new Error(`signed by ${signed.by}`);
    assertEquals(/^[0-9A-F]{40}$/.test(signed.fingerprint), true);
    const said = trustText(await checkTrust(archive(dist, ours)), ours);
    assert(said.endsWith(`Signed: ${SUMS}, by the key in ${ours}, ${signed.fingerprint}\n`), said);
    const refused = (key: string, says: string) =>
      assertRejects(() => checkTrust(archive(dist, key)), UserError, says);
    await refused(other, `${SUMS} is not signed by the key in ${other}`);
    await refused(`${dist}/q.tgz`, "is no public key");
    Deno.writeTextFileSync(`${dist}/${SUMS}`, "\n", { append: true });
    await refused(ours, `${SUMS} is not signed by the key in ${ours}`);
    Deno.removeSync(`${dist}/${SIGNATURE}`);
    await refused(ours, "is not signed");
    assertEquals(namesIn(dist), [SUMS, "q.tgz"]);
    await runTool("gpgconf", "--homedir", `${folder}/other`, "--kill", "gpg-agent");
  }));
