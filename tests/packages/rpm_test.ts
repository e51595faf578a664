// SPDX-License-Identifier: GPL-2.0-or-later
/** The packages of dom0, and of a template that is a Fedora. @module */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { sha256Hex } from "../../shared/io/sha256.ts";
import { VERSION } from "../../shared/io/version.ts";
import { authorize } from "../machine/qubes_machine.ts";
import { DIST, good, rpmFile } from "./dist.ts";
import { bootWith, put } from "./fedora.ts";
import { changesSince, snapshot } from "./snapshot.ts";

const DOM0 = ["qubes-claw-runtime", "qvm-remote-dom0", "qubes-claw-dom0", "qubes-global-admin-web"];
const SALT = "qubes-claw-salt";
const COMPILED = "qvm-remote-dom0-compiled";
const VM = ["qubes-claw-runtime", "qvm-remote", "qubes-claw-vm"];
const QUBES_GID = 98;
const QUBES_FOLDERS = ["etc/qubes", "etc/qubes/policy.d", "etc/qubes-rpc"];

const SYSTEM_FOLDERS = [
  ...["usr/bin", "usr/lib/systemd/system", "usr/lib/systemd/user", "usr/share/applications"],
  ...["usr/share/bash-completion/completions", "usr/share/doc", "usr/share/licenses"],
  ...["usr/share/icons/hicolor/scalable/apps", "usr/share/man/man1", "usr/share/man/man8"],
  ...["srv/formulas/base", "srv/pillar/base", "etc/salt/minion.d", "var/lib/rpm"],
];

/** Laid out as a Fedora with Qubes in it, as far as packages see it. */
async function fedoraLike(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir();
  for (const folder of SYSTEM_FOLDERS) await Deno.mkdir(`${path}/${folder}`, { recursive: true });
  for (const folder of QUBES_FOLDERS) {
    await Deno.mkdir(`${path}/${folder}`, { recursive: true });
    await Deno.chown(`${path}/${folder}`, 0, QUBES_GID);
    await Deno.chmod(`${path}/${folder}`, 0o2775);
  }
  await Deno.writeTextFile(`${path}/etc/passwd`, "root:x:0:0:root:/root:/bin/bash\n");
  await Deno.writeTextFile(`${path}/etc/group`, `root:x:0:\nqubes:x:${QUBES_GID}:\n`);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

const rpm = (root: string, ...words: readonly string[]): Promise<string> =>
  good("rpm", "--root", root, ...words);

/** Scripts need a system that runs: see the tests below. */
const change = (root: string, verb: string, ...words: readonly string[]): Promise<string> =>
  rpm(root, verb, "--nodeps", "--noscripts", ...words);

const filesOf = (names: readonly string[], release: number): readonly string[] =>
  names.map((name) => `${DIST}/${rpmFile(name, release)}`);

function filesIn(root: string): readonly string[] {
  const walk = (folder: string): readonly string[] =>
    [...Deno.readDirSync(`${root}/${folder}`)].flatMap(({ name, isDirectory }) => {
      const path = `${folder}/${name}`;
      const { mode, gid } = Deno.lstatSync(`${root}/${path}`);
      const line = `${path} ${((mode ?? 0) & 0o7777).toString(8)} ${gid}`;
      return isDirectory ? [line, ...walk(path)] : [line];
    });
  return ["etc", "srv", "usr"].flatMap(walk).toSorted();
}

for (const [where, names] of [["dom0", [...DOM0, COMPILED, SALT]], ["a VM", VM]] as const) {
  Deno.test(`rpm, ${where}: installed, verified, upgraded, downgraded, erased`, async () => {
    await using tree = await fedoraLike();
    const { path } = tree;
    const before = filesIn(path);
    await change(path, "--install", ...filesOf(names, 1));
    assertEquals(await rpm(path, "--verify", "--nodeps", ...names), "");
    const edited = `${path}/etc/qubes/remote.conf`;
    if (where === "dom0") {
      assertEquals((Deno.statSync(edited).mode ?? 0) & 0o777, 0o600);
      Deno.writeTextFileSync(edited, 'QVM_REMOTE_VMS="work"\n');
      Deno.writeTextFileSync(`${path}/etc/qubes/remote.d/work.key`, "a key\n");
    }
    await change(path, "--upgrade", ...filesOf(names, 2));
    assertStringIncludes(await rpm(path, "--query", ...names), `${names[1]}-2.0.0-2.x86_64`);
    await change(path, "--upgrade", "--oldpackage", ...filesOf(names, 1));
    for (const folder of QUBES_FOLDERS) {
      const { mode, gid } = Deno.statSync(`${path}/${folder}`);
      assertEquals([folder, (mode ?? 0) & 0o7777, gid], [folder, 0o2775, QUBES_GID]);
    }
    if (where === "dom0") {
      assertEquals(Deno.readTextFileSync(edited), 'QVM_REMOTE_VMS="work"\n');
      const changed = await rpm(path, "--verify", "--nodeps", ...names).catch(String);
      assertEquals(changed.match(/^[.SMDLUGTP5?]{9} .*$/gm), [
        "S.5....T.  c /etc/qubes/remote.conf",
      ]);
    }
    await change(path, "--erase", ...names);
    // rpm has no purge: what a person edited is put aside, and keys stay.
    const kept = where === "dom0"
      ? ["etc/qubes/remote.conf.rpmsave", "etc/qubes/remote.d", "etc/qubes/remote.d/work.key"]
      : [];
    const left = filesIn(path).filter((line) => !before.includes(line))
      .map((line) => line.split(" ")[0]);
    assertEquals(left, kept);
  });
}

Deno.test("rpm: what builder v2 reads beside .qubesbuilder is made with the sources", async () => {
  const read = (name: string): Promise<string> => Deno.readTextFile(`${DIST}/builder/${name}`);
  assertEquals(await read("version"), `${VERSION}\n`);
  assertMatch(await read("rel"), /^\d+\n$/);
  const vendor = `qubes-claw-vendor-${VERSION}.tar.gz`;
  const hash = sha256Hex(await Deno.readFile(`${DIST}/${vendor}`));
  assertEquals(await read(`${vendor}.sha256`), `${hash}\n`);
});

Deno.test("rpm: dom0 gets 110 MB at most for the daemon alone, 130 for all; the page says of each how much", async () => {
  const size = async (names: readonly string[]): Promise<number> => {
    const said = await good("rpm", "-qp", "--queryformat", "%{SIZE}\n", ...filesOf(names, 1));
    return said.trimEnd().split("\n").reduce((sum, line) => sum + Number(line), 0);
  };
  const alone = await size(["qvm-remote-dom0", COMPILED]);
  const all = await size(DOM0);
  const page = await Deno.readTextFile(
    new URL("../../shared/packaging/README.md", import.meta.url),
  );
  for (const name of new Set([...DOM0, COMPILED, SALT, ...VM])) {
    const said = new RegExp(`^\\| \`${name}\` .* ([0-9.]+) MB +\\|$`, "m").exec(page)?.[1];
    const is = await size([name]) / 1e6;
    assert(Math.abs(Number(said) - is) <= 0.1 + 0.1 * is, `${name}: ${is} MB, the page: ${said}`);
  }
  assert(alone > 80_000_000 && alone <= 110_000_000, `${alone}`);
  assert(all > 80_000_000 && all <= 130_000_000, `${all}`);
});

for (
  const [form, names] of [["binary", DOM0.slice(1, 2).concat(COMPILED)], ["script", DOM0]] as const
) {
  Deno.test(`rpm, the daemon as a ${form}: an upgrade waits for what runs, and nothing is lost`, async () => {
    await using dom0 = await bootWith(names);
    const unit = "qvm-remote-dom0.service";
    assertEquals((await dom0.run(`systemctl is-enabled ${unit}`)).stdout, "disabled\n");
    await authorize(dom0, "work");
    await dom0.good("qvm-remote-dom0 enable", { input: "yes\n" });
    const pid = () => dom0.good(`systemctl show --value --property=MainPID ${unit}`);
    const program = await dom0.good(
      `readlink /proc/$(pgrep -f '^/usr/lib/qubes-claw/(qvm-remote-dom0.bin|deno run.*qvm-remote-dom0.js)' | head -n 1)/exe`,
    );
    assertStringIncludes(program, form === "binary" ? "qvm-remote-dom0.bin" : "/deno");

    const first = await pid();
    const slow = dom0.inVm(
      "work",
      "qvm-remote 'touch /run/started; while [ ! -e /run/go ]; do sleep 0.1; done; echo whole'",
    );
    await dom0.until("[ -e /run/started ]");
    await put(dom0, "--upgrade", names, 2);
    await dom0.until("journalctl -u qvm-remote-dom0-restart | grep 'Waits for the end of'");
    assertEquals(await pid(), first, "it did not wait");
    await dom0.good("touch /run/go");
    assertEquals(await slow, { code: 0, stdout: "whole\n", stderr: "" });
    await dom0.until(`[ $(systemctl show --value --property=MainPID ${unit}) != ${first.trim()} ]`);
    const after = await dom0.inVm("work", "qvm-remote echo after");
    assertEquals(after, { code: 0, stdout: "after\n", stderr: "" });
    await dom0.good("qvm-remote-dom0 audit verify");

    await dom0.good(`rpm --nodeps --erase ${names.join(" ")}`);
    assertEquals((await dom0.run(`systemctl is-active ${unit}`)).stdout, "inactive\n");
    assertEquals(await dom0.good("find /usr -path '*qubes-claw*' -o -name 'qvm-remote-dom0*'"), "");
    await dom0.good("ls /etc/qubes/remote.d/work.key /var/log/qubes/qvm-remote.audit.jsonl");
  });
}

/** What the package says that it leaves, and what rpm does with a file that a person edited. */
const LEFT_IN_DOM0 = [
  /^\/etc\/qubes\/remote\.conf\.rpmsave$/,
  /^\/etc\/qubes\/remote\.d(\/|$)/,
  /^\/etc\/qubes\/remote-policy\.d(\/|$)/,
  /^\/var\/lib\/qvm-remote(\/|$)/,
  /^\/var\/log\/qubes\/qvm-remote\./,
];
/** What this test itself puts there. */
const OF_THE_TEST = [
  /^\/opt\/vm(\/|$)/,
  /^\/usr\/bin\/qrexec-client$/,
  /qubesd\.service$/,
  /^\/opt$/,
];

Deno.test("rpm, on a machine: all of dom0's installed, upgraded, downgraded, erased; nothing is left that is not said", async () => {
  const names = [...DOM0, COMPILED];
  let before: readonly string[] = [];
  await using dom0 = await bootWith(names, async (machine) => {
    before = await snapshot(machine);
  });
  const unit = "qvm-remote-dom0.service";
  const verify = `rpm --verify --nodeps ${names.join(" ")}`;
  assertEquals(await dom0.good(verify), "");
  await authorize(dom0, "work"); // which edits remote.conf
  await dom0.good("qvm-remote-dom0 enable", { input: "yes\n" });
  const conf = await dom0.good("cat /etc/qubes/remote.conf");
  const pid = () => dom0.good(`systemctl show --value --property=MainPID ${unit}`);
  for (const [verb, release] of [["--upgrade", 2], ["--upgrade --oldpackage", 1]] as const) {
    const old = (await pid()).trim();
    await put(dom0, verb, names, release);
    assertStringIncludes(await dom0.good("rpm --query qvm-remote-dom0"), `-${release}.x86_64`);
    await dom0.until(
      `systemctl is-active ${unit} && [ $(systemctl show --value --property=MainPID ${unit}) != ${old} ]`,
    );
    assertEquals((await dom0.inVm("work", "qvm-remote echo here")).stdout, "here\n");
    assertEquals(await dom0.good("cat /etc/qubes/remote.conf"), conf);
    const differs = (await dom0.run(verify)).stdout.trimEnd().split("\n");
    assertEquals(differs.map((line) => line.slice(9)), ["  c /etc/qubes/remote.conf"]);
  }
  await dom0.good(`rpm --nodeps --erase ${names.join(" ")}`);
  assertEquals((await dom0.run(`systemctl is-active ${unit}`)).stdout, "inactive\n");
  const left = changesSince(before, await snapshot(dom0))
    .filter((path) => !OF_THE_TEST.some((own) => own.test(path)));
  assertEquals(left.filter((path) => !LEFT_IN_DOM0.some((said) => said.test(path))), []);
  for (const said of LEFT_IN_DOM0) {
    assert(left.some((path) => said.test(path)), `nothing of ${said}`);
  }
  await dom0.good("systemctl daemon-reload");
  assertEquals(
    await dom0.good(
      "systemctl list-units --all --plain --no-legend 'qvm-remote*' 'openclaw*' 'qubes-global*'",
    ),
    "",
  );
});

Deno.test("rpm: rpmlint finds nothing that is not explained", {
  ignore: !await Deno.stat("/usr/bin/rpmlint").then(() => true, () => false),
}, async () => {
  const config = new URL("../../shared/packaging/rpm/rpmlint.toml", import.meta.url).pathname;
  const files = filesOf([...new Set([...DOM0, COMPILED, SALT, ...VM])], 1);
  const said = await good("rpmlint", "--config", config, ...files);
  assertStringIncludes(said, " 0 errors, 0 warnings");
});
