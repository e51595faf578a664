// SPDX-License-Identifier: GPL-2.0-or-later
/** Every program that has options: "help", "version", a wrong option, a wrong command. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { VERSION } from "../../../shared/io/version.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(program: string, ...args: string[]): Promise<Said> {
  const home = await Deno.makeTempDir({ prefix: "usage-" });
  try {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-check", `${ROOT}${program}`, ...args],
      env: { HOME: home, QUBES_CLAW_ROOT: home, DENO_DIR, XDG_RUNTIME_DIR: home, USER: "user" },
      stdin: "null",
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

const DENO_DIR = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;

/** A mistyped option of each, and a mistyped command of those that have commands. */
const PROGRAMS: Readonly<Record<string, { option: [string, string]; command?: [string, string] }>> =
  {
    "dom0/openclaw-tunnel.ts": { option: ["--liste", "--listen"], command: ["stauts", "status"] },
    "dom0/qubes-global-admin-web.ts": {
      option: ["--verison", "--version"],
      command: ["opne", "open"],
    },
    "dom0/qvm-remote-dom0.ts": { option: ["--onc", "--once"], command: ["stauts", "status"] },
    "dom0/setup-dom0.ts": { option: ["--verfiy", "--verify"], command: ["undo", "--undo"] },
    "vm/openclaw-connect.ts": { option: ["--onec", "--once"] },
    "vm/openclaw-ctl.ts": { option: ["--jsn", "--json"], command: ["stauts", "status"] },
    "vm/openclaw-ports.ts": { option: ["--pervm", "--per-vm"], command: ["instal", "install"] },
    "vm/openclaw-proxy.ts": { option: ["--hepl", "--help"], command: ["check", "check-config"] },
    "vm/openclaw-tunnel.ts": { option: ["--drect", "--direct"], command: ["chek", "check"] },
    "vm/openclaw-wait-ready.ts": { option: ["--time", "--timeout"] },
    "vm/openclaw-watchdog.ts": { option: ["--onec", "--once"] },
    "vm/qvm-remote-mcp.ts": { option: ["--hepl", "--help"] },
    "vm/qvm-remote.ts": { option: ["--jason", "--json"], command: ["stauts", "qvm-remote status"] },
    "vm/setup-vm.ts": { option: ["--user-unit", "--user-units"], command: ["opnai", "openai"] },
  };

Deno.test("the list has every program that reads its words with parseWords()", () => {
  const found: string[] = [];
  for (const folder of ["dom0", "vm"]) {
    for (const { name } of Deno.readDirSync(`${ROOT}${folder}`)) {
      const isProgram = name.endsWith(".ts") && !name.startsWith("openclaw.Mux") &&
        name !== "qvmremote.Queue.ts"; // services: their one argument is qrexec's
      if (isProgram) found.push(`${folder}/${name}`);
    }
  }
  assertEquals(found.sort(), Object.keys(PROGRAMS).sort());
});

for (const [program, { option, command }] of Object.entries(PROGRAMS)) {
  Deno.test(`${program}: "help", "version", a wrong option${command ? ", a wrong command" : ""}`, async () => {
    const help = await run(program, "help");
    assertEquals([help.code, help.stderr], [0, ""]);
    assertEquals(help.stdout, (await run(program, "--help")).stdout);
    const version = await run(program, "version");
    assertEquals([version.code, version.stderr], [0, ""]);
    assertStringIncludes(version.stdout, VERSION);
    for (const [wrong, right] of command === undefined ? [option] : [option, command]) {
      const { code, stdout, stderr } = await run(program, wrong);
      assertEquals([code, stdout], [2, ""], stderr);
      assertStringIncludes(stderr, wrong);
      assertStringIncludes(stderr, `hint: did you mean "${right}"?`);
    }
  });
}
