// SPDX-License-Identifier: GPL-2.0-or-later
/** What the Makefile promises: exact permissions, a help for each target, a sound unit. @module */

import { assert, assertEquals } from "@std/assert";
import { CONFIG_ENVIRONMENT } from "../dom0/remote/config.ts";
import { FLAG_VARIABLES, type Program, programFlags, PROJECT } from "./e2e/program_flags.ts";

const ALLOWED: Readonly<Record<Program, ReadonlySet<string>>> = {
  "qvm-remote-dom0": new Set([
    ...["--no-prompt", "--deny-net", "--deny-ffi", "--deny-import", "--allow-read"],
    ...["--allow-write", "--allow-run", "--allow-env", "--allow-sys", "--v8-flags"],
  ]),
  "setup-dom0": new Set([
    ...["--no-prompt", "--deny-net", "--deny-ffi", "--deny-import", "--allow-read"],
    ...["--allow-write", "--allow-run", "--allow-env", "--allow-sys"],
  ]),
  "qvm-remote": new Set([
    "--no-prompt",
    "--allow-read",
    "--allow-write",
    "--allow-env",
    "--allow-sys",
  ]),
  "qvmremote.Queue": new Set([
    ...["--no-prompt", "--allow-read", "--allow-write", "--allow-env", "--allow-sys"],
  ]),
  "openclaw-tunnel": new Set([
    ...["--no-prompt", "--deny-ffi", "--deny-import", "--allow-net", "--allow-run"],
    ...["--allow-read", "--allow-write", "--allow-env", "--v8-flags"],
  ]),
  "openclaw-tunnel in a VM": new Set([
    ...["--no-prompt", "--allow-net", "--allow-run", "--allow-read", "--allow-write"],
    ...["--allow-env", "--v8-flags"],
  ]),
  "openclaw.Mux": new Set(["--no-prompt", "--allow-net", "--allow-env", "--v8-flags"]),
  "openclaw-ports": new Set([
    ...["--no-prompt", "--deny-net", "--deny-ffi", "--deny-import", "--allow-read"],
    ...["--allow-write", "--allow-run", "--allow-env"],
  ]),
  "openclaw-connect": new Set([
    ...["--no-prompt", "--deny-ffi", "--deny-import", "--allow-net", "--allow-run"],
    ...["--allow-read", "--allow-env", "--v8-flags"],
  ]),
  "openclaw-proxy": new Set([
    ...["--no-prompt", "--deny-ffi", "--deny-import", "--unstable-no-legacy-abort"],
    ...[
      "--allow-read",
      "--allow-write",
      "--allow-env",
      "--allow-sys",
      "@CONFIGURED@",
      "--v8-flags",
    ],
  ]),
};

for (const program of Object.keys(FLAG_VARIABLES) as Program[]) {
  Deno.test(`${program} has no permission but those it is to have`, () => {
    const flags = programFlags(program);
    assert(flags.includes("--no-prompt"), "a prompt would wait for ever");
    for (const flag of flags) {
      const [name = ""] = flag.split("=");
      assert(ALLOWED[program].has(name), `${flag} is not expected`);
    }
  });
}

Deno.test("the VM programs reach their own folder only", () => {
  for (const program of ["qvm-remote", "qvmremote.Queue"] as const) {
    for (const flag of programFlags(program)) {
      const [name, value = ""] = flag.split("=");
      if (name !== "--allow-read" && name !== "--allow-write") continue;
      const outside = value.split(",").filter((path) =>
        !["@HOME@/.qvm-remote", "@HOME@/.qubes-remote"].includes(path)
      );
      assertEquals(outside, [], `${program} ${flag}`);
    }
  }
});

Deno.test("setup-dom0 writes its own files only, and runs only the tools it names", () => {
  const flags = programFlags("setup-dom0");
  const listed = (name: string): readonly string[] =>
    flags.find((flag) => flag.startsWith(`${name}=`))?.slice(name.length + 1).split(",") ?? [];
  assertEquals(listed("--allow-write"), [
    ...["/etc/qubes", "/var/lib/openclaw", "/run/openclaw-setup.lock"],
  ]);
  const tools = listed("--allow-run");
  assert(
    tools.length > 10 && tools.every((tool) => /^(qvm-[a-z]+|qubes-prefs|systemctl)$/.test(tool)),
  );
  for (const file of Deno.readDirSync(`${PROJECT}/dom0/setup`)) {
    const text = Deno.readTextFileSync(`${PROJECT}/dom0/setup/${file.name}`);
    const called = [...text.matchAll(/"(qvm-[a-z]+|qubes-prefs|systemctl)"/g)].map(([, tool]) =>
      tool
    );
    assertEquals(called.filter((tool) => !tools.includes(tool ?? "")), [], file.name);
  }
});

Deno.test("the tunnel listens on loopback, and starts its caller and systemd's only", () => {
  const valueOf = (program: Program, name: string): string | undefined =>
    programFlags(program).find((flag) => flag.startsWith(`${name}=`))?.slice(name.length + 1);
  for (const program of ["openclaw-tunnel", "openclaw-tunnel in a VM"] as const) {
    const caller = program === "openclaw-tunnel" ? "qrexec-client" : "qrexec-client-vm";
    assertEquals(valueOf(program, "--allow-net"), "127.0.0.1,[::1]");
    assertEquals(valueOf(program, "--allow-run"), `${caller},systemd-notify`);
    const own = program === "openclaw-tunnel" ? "" : ",@RUNTIME@/openclaw";
    assertEquals(valueOf(program, "--allow-write"), `@ROOT@/run/openclaw${own}`);
    const read = valueOf(program, "--allow-read")?.split(",") ?? [];
    const known = ["/etc/qubes/openclaw.conf", "/run/openclaw", "/run/qubes"];
    const places = read.map((path) => path.replace("@ROOT@", "").replace("@RUNTIME@", "/run"));
    assertEquals(places.filter((path) => !known.includes(path)), []);
  }
  assertEquals(valueOf("openclaw.Mux", "--allow-net"), "127.0.0.1");
});

Deno.test("openclaw-connect writes nothing and starts the tunnel only; ports has no network", () => {
  const connect = programFlags("openclaw-connect");
  assert(connect.includes("--allow-run=openclaw-tunnel"));
  assert(connect.includes("--allow-net=127.0.0.1,[::1]"));
  const ports = programFlags("openclaw-ports");
  assert(ports.includes("--allow-run=qubesdb-read") && ports.includes("--deny-net"));
});

Deno.test("the daemon may read every variable that its configuration names", () => {
  const allowed = programFlags("qvm-remote-dom0").find((flag) => flag.startsWith("--allow-env="));
  const names = new Set(allowed?.slice("--allow-env=".length).split(","));
  assertEquals(CONFIG_ENVIRONMENT.filter((name) => !names.has(name)), []);
});

Deno.test("make help names every target that a person calls", async () => {
  const { code, stdout } = await run("make", ["--no-print-directory", "help"]);
  assertEquals(code, 0);
  const makefile = Deno.readTextFileSync(`${PROJECT}/Makefile`);
  const targets = [...makefile.matchAll(/^\.PHONY: (.*)$/gm)].map(([, name = ""]) => name);
  assert(targets.length >= 15, `${targets.length} targets`);
  assertEquals(targets.filter((name) => !new RegExp(`^${name}\\s`, "m").test(stdout)), []);
});

Deno.test("systemd finds nothing wrong with the unit", async (t) => {
  const unit = `${PROJECT}/dom0/systemd/qvm-remote-dom0.service`;
  const text = Deno.readTextFileSync(unit);
  for (const line of ["Delegate=yes", "Type=notify", "WatchdogSec=5min", "NoNewPrivileges=yes"]) {
    assert(text.includes(`\n${line}\n`), line);
  }
  await t.step({
    name: "systemd-analyze verify and security",
    ignore: !await exists("/usr/bin/systemd-analyze"),
    fn: async () => {
      const folder = await Deno.makeTempDir();
      try {
        // The program and its manual are not installed here.
        const here = text.replace("/usr/bin/qvm-remote-dom0", "/bin/true").replace(
          /^Documentation.*\n/m,
          "",
        );
        await Deno.writeTextFile(`${folder}/qvm-remote-dom0.service`, here);
        const verified = await run("systemd-analyze", [
          "verify",
          `${folder}/qvm-remote-dom0.service`,
        ]);
        assertEquals([verified.code, verified.stderr], [0, ""]);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
      const { stdout } = await run("systemd-analyze", ["security", "--offline=true", unit]);
      const level = Number(/exposure level for .*: ([0-9.]+)/.exec(stdout)?.[1]);
      assert(level <= 5.7, `exposure ${level}`);
    },
  });
});

Deno.test("the proxy reaches no host and no program by its launcher alone, and its own files only", () => {
  const flags = programFlags("openclaw-proxy");
  assert(!flags.some((flag) => /^--allow-(net|run)/.test(flag)));
  for (const flag of flags.filter((one) => /^--allow-(read|write)=/.test(one))) {
    const paths = flag.slice(flag.indexOf("=") + 1).split(",");
    const own = /^@HOME@\/\.openclaw\/(proxy|cursor-proxy)[\w.-]+$/;
    assertEquals(paths.filter((path) => !own.test(path)), []);
  }
});

for (const unit of ["openclaw-connect", "openclaw-proxy"]) {
  Deno.test(`systemd finds nothing wrong with the user unit ${unit}`, {
    ignore: !await exists("/usr/bin/systemd-analyze"),
  }, async () => {
    const text = Deno.readTextFileSync(`${PROJECT}/vm/systemd/user/${unit}.service`);
    const folder = await Deno.makeTempDir();
    try {
      const here = text.replace(`/usr/bin/${unit}`, "/bin/true").replace(
        /^Documentation.*\n/m,
        "",
      );
      await Deno.writeTextFile(`${folder}/${unit}.service`, here);
      const path = `${folder}/${unit}.service`;
      const { code, stderr } = await run("systemd-analyze", ["verify", path]);
      assertEquals([code, stderr], [0, ""]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

const TUNNEL_UNITS = ["openclaw-tunnel@.service", "openclaw-tunnels.service"].flatMap((unit) =>
  ["dom0", "vm"].map((where) => `${where}/systemd/${unit}`)
);

for (const unit of TUNNEL_UNITS) {
  Deno.test({
    name: `${unit}: systemd finds nothing wrong, exposure under 2.0`,
    ignore: !await exists("/usr/bin/systemd-analyze"),
    fn: async () => {
      const text = Deno.readTextFileSync(`${PROJECT}/${unit}`);
      const name = unit.slice(unit.lastIndexOf("/") + 1);
      const folder = await Deno.makeTempDir();
      try {
        // The program and its manual are not installed here.
        const here = text.replace("/usr/bin/openclaw-tunnel", "/bin/true")
          .replace(/^Documentation.*\n/m, "");
        await Deno.writeTextFile(`${folder}/${name}`, here);
        const instance = name.replace("@.", "@18789.");
        if (instance !== name) await Deno.symlink(name, `${folder}/${instance}`);
        const verified = await run("systemd-analyze", ["verify", `${folder}/${instance}`]);
        assertEquals([verified.code, verified.stderr], [0, ""]);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
      const { stdout } = await run("systemd-analyze", [
        ...["security", "--offline=true", `${PROJECT}/${unit}`],
      ]);
      const level = Number(/exposure level for .*: ([0-9.]+)/.exec(stdout)?.[1]);
      assert(level < 2, `exposure ${level}`);
    },
  });
}

Deno.test("the units of the tunnel in dom0 and in a VM differ only in where they are", () => {
  for (const name of ["openclaw-tunnel@.service", "openclaw-tunnels.service"]) {
    const [dom0, vm] = ["dom0", "vm"].map((where) =>
      Deno.readTextFileSync(`${PROJECT}/${where}/systemd/${name}`)
        .replace(/^After=.*$/m, "").replace("this VM", "dom0")
    );
    assertEquals(vm, dom0);
  }
});

async function run(program: string, args: readonly string[]) {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd: PROJECT,
    env: { SYSTEMD_COLORS: "0" },
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
