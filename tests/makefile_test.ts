// SPDX-License-Identifier: GPL-2.0-or-later
/** What the Makefile promises: exact permissions, a help for each target, a sound unit. @module */

import { exists } from "../shared/io/files.ts";
import { assert, assertEquals } from "@std/assert";
import { CONFIG_ENVIRONMENT } from "../dom0/settings/config.ts";
import { dom0Paths } from "../dom0/settings/paths.ts";
import { type Program, PROGRAM_KEYS, programFlags, PROJECT } from "./e2e/program_flags.ts";
import { LOOKERS } from "../vm/remote/commands/unread_stdin.ts";

const ALLOWED: ReadonlyMap<Program, ReadonlySet<string>> = new Map(Object.entries({
  "qvm-remote-dom0": new Set([
    ...["--no-prompt", "--deny-net", "--deny-ffi", "--deny-import", "--allow-read"],
    ...["--allow-write", "--allow-run", "--allow-env", "--allow-sys", "--v8-flags"],
  ]),
  "setup-dom0": new Set([
    ...["--no-prompt", "--deny-net", "--deny-ffi", "--deny-import", "--allow-read"],
    ...["--allow-write", "--allow-run", "--allow-env", "--allow-sys"],
  ]),
  "qubes-global-admin-web": new Set([
    ...["--no-prompt", "--deny-ffi", "--deny-import", "--allow-net", "--allow-run"],
    ...["--allow-read", "--allow-write", "--allow-env", "--allow-sys", "--v8-flags"],
  ]),
  "qvm-remote": new Set([
    "--no-prompt",
    "--allow-read",
    "--allow-write",
    "--allow-env",
    "--allow-sys",
    "--allow-run",
    "@STDIN@QVM_REMOTE_STDIN",
    "@INSTEAD@mcp",
  ]),
  "qvm-remote-mcp": new Set([
    ...["--no-prompt", "--deny-net", "--deny-ffi", "--deny-import", "--allow-read"],
    ...["--allow-write", "--allow-env", "--allow-sys", "--v8-flags"],
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
  "openclaw.MuxPerVm": new Set([
    ...["--no-prompt", "--allow-net", "--allow-read", "--allow-write", "--allow-env", "--v8-flags"],
  ]),
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
  "setup-vm": new Set([
    ...["--no-prompt", "--deny-net", "--deny-ffi", "--deny-import", "--allow-read"],
    ...["--allow-write", "--allow-run", "--allow-env", "--allow-sys"],
  ]),
  "openclaw-wait-ready": new Set([
    ...["--no-prompt", "--deny-ffi", "--deny-import", "--allow-net", "--allow-read"],
    ...["--allow-env", "--v8-flags"],
  ]),
  "openclaw-ctl": new Set([
    ...["--no-prompt", "--deny-ffi", "--deny-import", "--allow-net", "--allow-run"],
    ...["--allow-read", "--allow-env", "--allow-sys"],
  ]),
  "openclaw-watchdog": new Set([
    ...["--no-prompt", "--deny-ffi", "--deny-import", "--allow-net", "--allow-run"],
    ...["--allow-read", "--allow-env", "--v8-flags"],
  ]),
}));

for (const program of PROGRAM_KEYS) {
  Deno.test(`${program} has no permission but those it is to have`, () => {
    const flags = programFlags(program);
    assert(flags.includes("--no-prompt"), "a prompt would wait for ever");
    for (const flag of flags) {
      const [name = ""] = flag.split("=");
      assert(ALLOWED.get(program)?.has(name), `${flag} is not expected`);
    }
  });
}

Deno.test("the VM programs reach their own folder only, but for the client, which copies files", () => {
  for (const program of ["qvm-remote", "qvm-remote-mcp", "qvmremote.Queue"] as const) {
    for (const flag of programFlags(program)) {
      const [name, value = ""] = flag.split("=");
      if (name !== "--allow-read" && name !== "--allow-write") continue;
      if (program === "qvm-remote" && value === "") continue; // push reads, pull writes
      const outside = value.split(",").filter((path) =>
        !["@HOME@/.qvm-remote", "@HOME@/.qubes-remote"].includes(path)
      );
      assertEquals(outside, [], `${program} ${flag}`);
    }
  }
});

Deno.test("the client starts only what looks into its stdin", () => {
  const run = programFlags("qvm-remote").find((flag) => flag.startsWith("--allow-run"));
  assertEquals(run, `--allow-run=${LOOKERS.map(([program]) => program).join(",")}`);
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
    if (program !== "openclaw-tunnel") known.push("@HOME@/.config/openclaw/connect.conf");
    const places = read.map((path) => path.replace("@ROOT@", "").replace("@RUNTIME@", "/run"));
    assertEquals(places.filter((path) => !known.includes(path)), []);
  }
  assertEquals(valueOf("openclaw.Mux", "--allow-net"), "127.0.0.1");
  const socket = "@HOME@/.openclaw/vm-sockets/@CALLER@.sock";
  assertEquals(valueOf("openclaw.MuxPerVm", "--allow-net"), `unix:${socket}`);
  for (const name of ["--allow-read", "--allow-write"]) {
    assertEquals(valueOf("openclaw.MuxPerVm", name), socket);
  }
});

Deno.test("openclaw-connect writes nothing and starts the tunnel only; ports has no network", () => {
  const connect = programFlags("openclaw-connect");
  assert(connect.includes("--allow-run=openclaw-tunnel"));
  assert(connect.includes("--allow-net=127.0.0.1,[::1]"));
  const ports = programFlags("openclaw-ports");
  assert(ports.includes("--allow-run=qubesdb-read") && ports.includes("--deny-net"));
});

Deno.test("openclaw-ctl and the watchdog ask loopback only, and start no program but theirs", () => {
  for (const program of ["openclaw-ctl", "openclaw-watchdog"] as const) {
    assert(programFlags(program).includes("--allow-net=127.0.0.1"), program);
  }
  assert(
    programFlags("openclaw-watchdog").includes(
      "--allow-run=systemctl,systemd-notify,logger,qrexec-client-vm",
    ),
  );
  const ctl = programFlags("openclaw-ctl").find((flag) => flag.startsWith("--allow-run="));
  const programs = ctl?.slice("--allow-run=".length).split(",") ?? [];
  const own =
    /^(systemctl|journalctl|ss|@(ROOT@\/usr|HOME@\/\.local)\/lib\/qubes-claw\/openclaw\/bin\/(openclaw|node))$/;
  assertEquals(programs.filter((one) => !own.test(one)), []);
});

Deno.test("the web admin reaches one port, run folders, and no tool of Qubes", () => {
  const valueOf = (name: string): readonly string[] =>
    programFlags("qubes-global-admin-web").find((flag) => flag.startsWith(`${name}=`))
      ?.slice(name.length + 1).split(",") ?? [];
  assertEquals(valueOf("--allow-net"), ["127.0.0.1:9876"]);
  for (const name of ["--allow-read", "--allow-write"]) {
    const paths = valueOf(name);
    assert(paths.length === 3 && paths.every((path) => /^(@ROOT@)?\/run\//.test(path)), name);
  }
  const own = ["systemd-notify", "logger", "sudo", "systemctl", "xdg-open"];
  assertEquals(valueOf("--allow-run"), own);
  const program = Deno.readTextFileSync(`${PROJECT}/dom0/qubes-global-admin-web.ts`);
  assert(program.includes('["sudo", "xdg-open", "systemctl"]'), "the server gives them back");
});

Deno.test("the daemon may read every variable that its configuration names", () => {
  const allowed = programFlags("qvm-remote-dom0").find((flag) => flag.startsWith("--allow-env="));
  const names = new Set(allowed?.slice("--allow-env=".length).split(","));
  assertEquals(CONFIG_ENVIRONMENT.filter((name) => !names.has(name)), []);
});

Deno.test("make help names every target that a person calls", async () => {
  const { code, stdout } = await run("make", ["--no-print-directory", "help"]);
  assertEquals(code, 0);
  const texts = ["Makefile", "tests/tests.mk", "shared/packaging/packages.mk"].map((path) =>
    Deno.readTextFileSync(`${PROJECT}/${path}`)
  );
  const targets = [...texts.join("\n").matchAll(/^\.PHONY: (.*)$/gm)].map(([, name = ""]) => name);
  assert(targets.length >= 30, `${targets.length} targets`);
  assertEquals(targets.filter((name) => !new RegExp(`^${name}\\s`, "m").test(stdout)), []);
});

Deno.test("a person reads the Makefile: it is short", () => {
  const lines = Deno.readTextFileSync(`${PROJECT}/Makefile`).split("\n").length - 1;
  assert(lines <= 155, `${lines} lines`);
});

Deno.test("systemd finds nothing wrong with the unit", async (t) => {
  const unit = `${PROJECT}/dom0/systemd/qvm-remote-dom0.service`;
  const text = Deno.readTextFileSync(unit);
  for (
    const line of [
      "StartLimitIntervalSec=0",
      "Type=notify",
      "WatchdogSec=5min",
      "NoNewPrivileges=yes",
    ]
  ) {
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
      assert(level <= 4.4, `exposure ${level}`);
    },
  });
});

Deno.test("the proxy reaches no host and no program by its launcher alone, and its own files only", () => {
  const flags = programFlags("openclaw-proxy");
  assert(!flags.some((flag) => /^--allow-(net|run)/.test(flag)));
  for (const flag of flags.filter((one) => /^--allow-(read|write)=/.test(one))) {
    const paths = flag.slice(flag.indexOf("=") + 1).split(",");
    const own = /^@HOME@\/\.openclaw\/((proxy|cursor-proxy)[\w.-]+|vm-sockets)$/;
    assertEquals(paths.filter((path) => !own.test(path)), []);
  }
});

Deno.test("setup-vm writes in the home only, and by itself nothing else", () => {
  const flags = programFlags("setup-vm");
  const written = flags.find((flag) => flag.startsWith("--allow-write="))?.split("=")[1] ?? "";
  assertEquals(written.split(",").filter((path) => !path.startsWith("@HOME@/.")), []);
  const tools = flags.find((flag) => flag.startsWith("--allow-run="))?.split("=")[1]?.split(",");
  for (const shell of ["sh", "bash", "curl", "wget", "tee", "env"]) assert(!tools?.includes(shell));
});

Deno.test("systemd finds nothing wrong with the web admin's unit, exposure under 2.0", {
  ignore: !await exists("/usr/bin/systemd-analyze"),
}, async () => {
  const path = `${PROJECT}/dom0/systemd/qubes-global-admin-web.service`;
  const text = Deno.readTextFileSync(path);
  for (const line of ["Type=notify", "WatchdogSec=60s", "CapabilityBoundingSet=", "UMask=0077"]) {
    assert(text.includes(`\n${line}\n`), line);
  }
  const here = text.replace("/usr/bin/qubes-global-admin-web", "/bin/true");
  assertEquals(await verified("qubes-global-admin-web.service", here), [0, ""]);
  const { stdout } = await run("systemd-analyze", ["security", "--offline=true", path]);
  const level = Number(/exposure level for .*: ([0-9.]+)/.exec(stdout)?.[1]);
  assert(level < 2, `exposure ${level}`);
  // Both services have the daemon's folder: it must not go when one of them stops.
  const daemon = Deno.readTextFileSync(`${PROJECT}/dom0/systemd/qvm-remote-dom0.service`);
  for (const unit of [text, daemon]) assert(unit.includes("\nRuntimeDirectoryPreserve=yes\n"));
});

Deno.test(
  "systemd finds nothing wrong with the watchdog's units, exposure under 1.5; a lockdown stops it",
  {
    ignore: !await exists("/usr/bin/systemd-analyze"),
  },
  async () => {
    const path = `${PROJECT}/dom0/systemd/qubes-claw-watchdog`;
    const text = Deno.readTextFileSync(`${path}.service`);
    assert(text.includes("\nConditionPathExists=!/etc/qubes/remote.lockdown\n"));
    const here = text.replace("/usr/lib/qubes-claw/restart-failed", "/bin/true");
    assertEquals(await verified("qubes-claw-watchdog.service", here), [0, ""]);
    const { stdout } = await run("systemd-analyze", [
      "security",
      "--offline=true",
      `${path}.service`,
    ]);
    const level = Number(/exposure level for .*: ([0-9.]+)/.exec(stdout)?.[1]);
    assert(level < 1.5, `exposure ${level}`);
  },
);

Deno.test(
  "systemd finds nothing wrong with what starts the daemon for the web admin, exposure under 1.6",
  {
    ignore: !await exists("/usr/bin/systemd-analyze"),
  },
  async () => {
    const path = `${PROJECT}/dom0/systemd/qubes-claw-start`;
    const text = Deno.readTextFileSync(`${path}.service`);
    assertEquals(await verified("qubes-claw-start.service", text), [0, ""]);
    const { stdout } = await run("systemd-analyze", [
      "security",
      "--offline=true",
      `${path}.service`,
    ]);
    const level = Number(/exposure level for .*: ([0-9.]+)/.exec(stdout)?.[1]);
    assert(level < 1.6, `exposure ${level}`);
    const waits = Deno.readTextFileSync(`${path}.path`);
    const [, wanted = ""] = /^PathExists=(.*)$/m.exec(waits) ?? [];
    assertEquals(dom0Paths("").startFile, wanted, "what the web admin writes");
    assert(text.includes(`\nExecStart=/usr/bin/rm -f ${wanted}\n`), "and is gone at once");
  },
);

Deno.test("the desktop entry is one", {
  ignore: !await exists("/usr/bin/desktop-file-validate"),
}, async () => {
  const path = `${PROJECT}/dom0/packaging/qubes-global-admin.desktop`;
  const { code, stdout } = await run("desktop-file-validate", [path]);
  assertEquals([code, stdout], [0, ""]);
});

/** Each unit that setup-vm enables, and how exposed systemd may find it. */
const AGENT_UNITS: readonly (readonly [unit: string, exposure: number])[] = [
  ["qubes-openclaw-proxy.service", 2.0],
  // An agent runs programs of any kind: what each missing line would break, its unit says.
  ["qubes-openclaw-gateway.service", 3.3],
  ["qubes-openclaw-tunnel.service", 1.7],
  // It may open /dev/xen, to tell dom0.
  ["qubes-openclaw-watchdog.service", 2.4],
];

for (const [unit, exposure] of AGENT_UNITS) {
  Deno.test(`${unit}: systemd finds nothing wrong, exposure at most ${exposure}`, {
    ignore: !await exists("/usr/bin/systemd-analyze"),
  }, async () => {
    const path = `${PROJECT}/vm/systemd/${unit}`;
    const text = Deno.readTextFileSync(path);
    const flag = /^ConditionPathExists=\/run\/qubes-service\/openclaw-\w+$/m;
    assert(flag.test(text), "starts only where dom0 set its flag");
    assertEquals(await verified(unit, text), [0, ""]);
    const { stdout } = await run("systemd-analyze", ["security", "--offline=true", path]);
    const level = Number(/exposure level for .*: ([0-9.]+)/.exec(stdout)?.[1]);
    assert(level <= exposure, `exposure ${level}`);
  });
}

Deno.test("the gateway's units have the figures that were measured, and stop nobody else's", () => {
  for (const unit of ["qubes-openclaw-gateway.service", "user/openclaw-gateway.service"]) {
    const text = Deno.readTextFileSync(`${PROJECT}/vm/systemd/${unit}`);
    const lines = [
      ...["MemoryHigh=2500M", "MemoryMax=3G", "OOMPolicy=continue", "Restart=always"],
      ...["RestartPreventExitStatus=78", "SuccessExitStatus=0 143", "TimeoutStopSec=330s"],
      ...["KillMode=mixed", "NoNewPrivileges=yes"],
    ];
    assertEquals(lines.filter((line) => !text.includes(`\n${line}\n`)), [], unit);
    assert(!/^(Requires|PrivateTmp|EnvironmentFile)=/m.test(text), unit);
    assert(!/fuser|pkill|killall/.test(text), unit);
  }
});

/** As systemd-analyze verify sees it; the programs and manuals are not installed here. */
async function verified(unit: string, text: string): Promise<readonly [number, string]> {
  const folder = await Deno.makeTempDir();
  try {
    const here = text
      .replace(/^(Exec\w+=-?)\/usr\/(bin|lib\/qubes-claw)\/openclaw[\w-]*/gm, "$1/bin/true")
      .replace(/^Documentation.*\n/m, "");
    await Deno.writeTextFile(`${folder}/${unit}`, here);
    const { code, stderr } = await run("systemd-analyze", ["verify", `${folder}/${unit}`]);
    return [code, stderr];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const USER_UNITS = ["connect", "proxy", "gateway", "watchdog", "tunnel"].map((name) =>
  `openclaw-${name}`
);

for (const unit of USER_UNITS) {
  Deno.test(`systemd finds nothing wrong with the user unit ${unit}`, {
    ignore: !await exists("/usr/bin/systemd-analyze"),
  }, async () => {
    const text = Deno.readTextFileSync(`${PROJECT}/vm/systemd/user/${unit}.service`);
    assertEquals(await verified(`${unit}.service`, text), [0, ""]);
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
