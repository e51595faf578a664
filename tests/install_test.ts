// SPDX-License-Identifier: GPL-2.0-or-later
/** "make install-*" into an empty folder, over an older installation, and back. @module */

import { isPresent } from "../shared/io/sync_files.ts";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { PROJECT } from "./e2e/program_flags.ts";
import { make, mode, runInstalled, tempFolder } from "./install_make.ts";
import { dom0PageFiles } from "./shared/packaging/dom0_page.ts";

const TUNNEL_FILES = [
  ...["usr/bin/openclaw-tunnel", "usr/share/man/man8/openclaw-tunnel.8"],
  ...["usr/lib/systemd/system/openclaw-tunnel@.service"],
  ...["usr/lib/systemd/system/openclaw-tunnels.service"],
  "usr/share/bash-completion/completions/openclaw-tunnel",
];

const SETUP_FILES = [
  ...["usr/bin/setup-vm", "usr/lib/qubes-claw/setup-vm.js", "usr/share/man/man1/setup-vm.1"],
  ...["usr/lib/qubes-claw/openclaw-gateway", "usr/lib/qubes-claw/openclaw-wait-ready"],
  ...["proxy", "gateway", "watchdog", "tunnel"].flatMap((name) => [
    `usr/lib/systemd/system/qubes-openclaw-${name}.service`,
    `usr/lib/systemd/user/openclaw-${name}.service`,
  ]),
  "usr/share/bash-completion/completions/setup-vm",
  ...["openclaw-multi.json", "proxy-multi.json", "openclaw/package-lock.json", "openclaw/launcher"]
    .map((name) => `usr/share/qubes-claw/openclaw/${name}`),
  "usr/share/qubes-claw/openclaw/node/package-lock.json",
];

Deno.test("install-vm and uninstall-vm", async () => {
  await using folder = await tempFolder();
  const { path } = folder;
  assertEquals((await make(path, "install-vm")).code, 0);
  const files = [
    ...["usr/bin/qvm-remote", "etc/qubes-rpc/qvmremote.Queue", "usr/lib/qubes-claw/deno"],
    ...["usr/lib/qubes-claw/qvm-remote.js", "usr/lib/qubes-claw/qvmremote.Queue.js"],
    ...["usr/share/man/man1/qvm-remote.1", "usr/share/bash-completion/completions/qvm-remote"],
    ...["usr/bin/openclaw-ports", "usr/lib/qubes-claw/openclaw-ports.js"],
    ...["usr/bin/openclaw-connect", "usr/lib/qubes-claw/openclaw-connect.js"],
    ...["usr/bin/openclaw-proxy", "usr/lib/qubes-claw/openclaw-proxy.js"],
    ...["usr/lib/systemd/user/openclaw-proxy.service", "usr/share/man/man1/openclaw-proxy.1"],
    ...["usr/bin/openclaw-ctl", "usr/lib/qubes-claw/openclaw-ctl.js"],
    ...["usr/bin/openclaw-watchdog", "usr/lib/qubes-claw/openclaw-watchdog.js"],
    ...["usr/share/man/man1/openclaw-ctl.1", "usr/share/man/man8/openclaw-watchdog.8"],
    "usr/share/bash-completion/completions/openclaw-ctl",
    "usr/share/bash-completion/completions/openclaw-watchdog",
    ...["usr/share/man/man8/openclaw-ports.8", "usr/share/man/man1/openclaw-connect.1"],
    "usr/lib/systemd/user/openclaw-connect.service",
    ...SETUP_FILES,
    ...TUNNEL_FILES,
    ...["usr/lib/qubes-claw/openclaw.Mux", "usr/lib/qubes-claw/openclaw.Mux.js"],
    ...["usr/lib/qubes-claw/openclaw.MuxPerVm", "usr/lib/qubes-claw/openclaw.MuxPerVm.js"],
  ];
  assertEquals(missing(path, files), []);
  assert(!isPresent(`${path}/etc/systemd/user`), "it is enabled");
  await Deno.mkdir(`${path}/home`);
  const ports = await runInstalled(path, "openclaw-ports", ["status"]);
  assertEquals(ports.code, 1);
  assertStringIncludes(ports.stderr, "run in a Qubes VM");
  const run = await runInstalled(path, "qvm-remote", ["key", "gen"]);
  assertEquals(run.code, 0, run.stderr);
  assertEquals((await make(path, "uninstall-vm")).code, 0);
  assertEquals(missing(path, files), files);
  assert(isPresent(`${path}/home/.qvm-remote/auth.key`), "the key is kept");
});

Deno.test("no npm package, not even one of the tests, is in what is built, but for MCP's", async () => {
  const { imports }: { imports: Record<string, string> } = JSON.parse(
    await Deno.readTextFile(`${PROJECT}/deno.json`),
  );
  // As Deno's own store of packages calls it: "registry/name/version/file".
  const stored = Object.values(imports).map((to) => {
    const [, name = "", version = ""] = /^npm:(@?[^@]+)@([\d.]+)/.exec(to) ?? [];
    return `${name}/${version}/`;
  });
  assert(stored.includes("openai/7.57.0/"), stored.join());
  const inside: string[] = [];
  for (const folder of ["dom0", "vm"]) {
    for await (const { name } of Deno.readDir(`${PROJECT}/build/${folder}`)) {
      const bytes = await Deno.readFile(`${PROJECT}/build/${folder}/${name}`);
      const text = new TextDecoder("latin1").decode(bytes);
      inside.push(...stored.filter((one) => text.includes(one)).map((one) => `${one} in ${name}`));
    }
  }
  assertEquals([...new Set(inside)], [
    "@modelcontextprotocol/server/2.4.0/ in qvm-remote-mcp.js",
  ]);
});

Deno.test("install-dom0 enables nothing and keeps the configuration", async () => {
  await using folder = await tempFolder();
  const { path } = folder;
  const { code, stdout } = await make(path, "install-dom0");
  assertEquals(code, 0);
  assertStringIncludes(stdout, "not enabled");
  const files = [
    ...["usr/bin/qvm-remote-dom0", "usr/lib/systemd/system/qvm-remote-dom0.service"],
    ...["usr/share/man/man8/qvm-remote-dom0.8", "etc/qubes/policy.d/30-qvm-remote.policy"],
    "usr/share/bash-completion/completions/qvm-remote-dom0",
    ...["usr/bin/qubes-global-admin-web", "usr/share/man/man8/qubes-global-admin-web.8"],
    "usr/lib/systemd/system/qubes-global-admin-web.service",
    "usr/lib/systemd/system/qubes-claw-start.path",
    "usr/lib/systemd/system/qubes-claw-start.service",
    "usr/share/applications/qubes-global-admin.desktop",
    "usr/share/icons/hicolor/scalable/apps/qubes-global-admin.svg",
    ...["usr/bin/setup-dom0", "usr/share/man/man8/setup-dom0.8"],
    ...["usr/share/bash-completion/completions/setup-dom0", "etc/qubes-rpc/openclaw.Notice"],
    ...TUNNEL_FILES,
  ];
  const kept = ["etc/qubes/remote.conf", "etc/qubes/remote.d", "etc/qubes/remote-policy.d"];
  assertEquals(missing(path, [...files, ...kept]), []);
  assertEquals(mode(`${path}/etc/qubes/remote.conf`), 0o600);
  assertEquals(mode(`${path}/etc/qubes/remote.d`), 0o700);
  assert(!isPresent(`${path}/etc/systemd/system/multi-user.target.wants`), "it is enabled");

  await Deno.writeTextFile(`${path}/etc/qubes/remote.conf`, 'QVM_REMOTE_VMS="work"\n');
  assertEquals((await make(path, "install-dom0")).code, 0);
  assertEquals(await Deno.readTextFile(`${path}/etc/qubes/remote.conf`), 'QVM_REMOTE_VMS="work"\n');

  const removed = await make(path, "uninstall-dom0");
  assertEquals(removed.code, 0);
  assertStringIncludes(removed.stdout, "Kept: /etc/qubes/remote.conf");
  assertEquals(missing(path, files), files);
  assertEquals(missing(path, kept), []);
});

Deno.test("dom0 gets 130 MB at most, the daemon alone 110; the page about it has each file and its size", async () => {
  await using folder = await tempFolder();
  const whole = `${folder.path}/whole`;
  assertEquals((await make(whole, "install-dom0")).code, 0);
  const files = filesBelow(whole).map((file) => ({ ...file, path: file.path.slice(whole.length) }));
  assert(files.length > 30, `${files.length} files`);
  assert(bytesOf(files) <= 130_000_000, `${bytesOf(files)} bytes`);
  const rows = dom0PageFiles();
  const named = rows.flatMap(({ paths }) => paths);
  assertEquals(files.map(({ path }) => path).filter((path) => !named.includes(path)), []);
  const wrong = rows.flatMap(({ paths, bytes }) => {
    const is = bytesOf(files.filter(({ path }) => paths.includes(path)));
    if (bytes === null || Math.abs(is - bytes) <= Math.max(500, 0.25 * is)) return [];
    return [`${paths.join(" ")}: ${is} bytes, the page: ${bytes}`];
  });
  assertEquals(wrong, []);
  const alone = `${folder.path}/alone`;
  assertEquals((await make(alone, "install-dom0-daemon")).code, 0);
  assert(bytesOf(filesBelow(alone)) <= 110_000_000);
});

Deno.test("another form of the daemon takes the first one's place; Deno goes with the last script", async () => {
  await using folder = await tempFolder();
  const { path } = folder;
  const lib = "usr/lib/qubes-claw";
  const [script, binary] = [`${lib}/qvm-remote-dom0.js`, `${lib}/qvm-remote-dom0.bin`];
  assertEquals((await make(path, "install-dom0-daemon")).code, 0);
  // Where it cannot be compiled, there is one form only.
  const isCompiled = isPresent(`${path}/${binary}`);
  assertEquals(missing(path, [script, `${lib}/deno`]).length, isCompiled ? 2 : 0);
  assertEquals((await make(path, "install-dom0")).code, 0);
  assertEquals(missing(path, [script, binary, `${lib}/deno`]), [binary]);
  const launcher = await Deno.readTextFile(`${path}/usr/bin/qvm-remote-dom0`);
  assertStringIncludes(launcher, '"$lib/deno" run');
  assertStringIncludes(launcher, "--deny-net");
  assertEquals((await make(path, "install-vm-client")).code, 0);
  assertEquals((await make(path, "uninstall-dom0")).code, 0);
  assertEquals(missing(path, [`${lib}/deno`]), [], "the client still needs it");
  assertEquals((await make(path, "uninstall-vm-client")).code, 0);
  assertEquals(missing(path, [lib]), [lib]);
});

interface InstalledFile {
  readonly path: string;
  readonly size: number;
}

function filesBelow(folder: string): readonly InstalledFile[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? filesBelow(path) : [{ path, size: Deno.statSync(path).size }];
  });
}

const bytesOf = (files: readonly InstalledFile[]): number =>
  files.reduce((sum, { size }) => sum + size, 0);

function missing(root: string, files: readonly string[]): readonly string[] {
  return files.filter((file) => !isPresent(`${root}/${file}`));
}
