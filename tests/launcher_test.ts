// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The environment in which each program starts: what goes on by its launcher, and that nothing goes
 * on that has a runtime load foreign code or open files. The programs are those that "make dom0 vm"
 * built if QVM_REMOTE_BUILT says where they are; else they are bundled here.
 *
 * @module
 */
import { isPresent } from "../shared/io/sync_files.ts";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { replaced } from "./e2e/launcher_text.ts";
import {
  type Program,
  PROGRAM_KEYS,
  programFlags,
  PROJECT,
  tableProgram,
} from "./e2e/program_flags.ts";
import { writeExecutable } from "./executable.ts";

const BUILT = Deno.env.get("QVM_REMOTE_BUILT");
const PROGRAMS = PROGRAM_KEYS;
const IN_DOM0: ReadonlySet<Program> = new Set(
  PROGRAMS.filter((program) => tableProgram(program).side === "dom0"),
);

const ALWAYS = ["HOME", "LANG", "LC_ALL", "TERM", "TZ"];
const TO_START_OTHERS = ["PATH", "USER", "LOGNAME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"];
/** Programs that start no other one, and so need no PATH. */
const ALONE: ReadonlySet<Program> = new Set([
  ...["qvm-remote-mcp", "qvmremote.Queue", "openclaw.Mux", "openclaw.MuxPerVm"],
  "openclaw-wait-ready",
]);

/** What each program, in either form, gets of its environment. */
function expectedNames(program: Program): readonly string[] {
  const listed = programFlags(program).find((flag) => flag.startsWith("--allow-env="));
  const own = listed?.slice("--allow-env=".length).split(",") ?? [];
  const names = [...ALWAYS, ...own, ...ALONE.has(program) ? [] : TO_START_OTHERS];
  return [...new Set(names)].filter((name) => name !== FOUND_OUT).sort();
}

/** What a launcher finds out, whatever the environment says. */
const FOUND_OUT = "QVM_REMOTE_STDIN";

/** Variables that a runtime, the linker or a shell obeys, and that no program is to see. */
const HOSTILE = {
  "the Node side of Deno": ["NODE_OPTIONS", "NODE_CHANNEL_FD", "NODE_EXTRA_CA_CERTS", "NODE_DEBUG"],
  "Deno": [
    ...["DENO_V8_FLAGS", "DENO_DIR", "DENO_LOG", "DENO_COVERAGE_DIR", "DENO_AUDIT_PERMISSIONS"],
    ...["DENO_PERMISSION_BROKER_PATH", "DENO_INTERNAL_CHILD_ENTRYPOINT", "DENO_CERT"],
    ...["DENO_TLS_CA_STORE", "DENO_AUTH_TOKENS", "OTEL_DENO", "SSL_CERT_FILE"],
  ],
  "where requests go": ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"],
  "the linker": ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT"],
  "shells and Python, for tools that are started": [
    ...["BASH_ENV", "ENV", "SHELLOPTS", "PS4", "IFS", "BASH_FUNC_start%%", "PYTHONPATH"],
    "PYTHONSTARTUP",
  ],
  "ours": ["QUBES_CLAW_LIB", "TMPDIR", "XDG_CACHE_HOME"],
};

interface Installed {
  readonly launcher: string;
  readonly form: "bundled" | "compiled";
  readonly lib: string;
}

/** The launcher, and a folder for what it starts. */
async function install(program: Program, folder: string): Promise<Installed> {
  const [name = ""] = program.split(" ");
  const domain = IN_DOM0.has(program) ? "dom0" : "vm";
  const lib = `${folder}/lib-${program.replaceAll(" ", "-")}`;
  await Deno.mkdir(lib);
  const build = BUILT === undefined ? `${lib}/built` : `${BUILT}/${domain}`;
  if (BUILT === undefined) {
    await bundle(`${PROJECT}/${domain}/${name}.ts`, `${build}/${name}`, program);
  }
  const text = await Deno.readTextFile(`${build}/${name}`);
  writeExecutable(
    `${lib}/start`,
    replaced(text, "lib=/usr/lib/qubes-claw", `lib=${lib}`),
  );
  await Deno.symlink(Deno.execPath(), `${lib}/deno`);
  for (const end of ["js", "bin"]) {
    await Deno.symlink(`${build}/${name}.${end}`, `${lib}/${name}.${end}`);
  }
  const form = isPresent(`${build}/${name}.bin`) ? "compiled" : "bundled";
  return { launcher: `${lib}/start`, form, lib };
}

async function bundle(source: string, target: string, program: Program): Promise<void> {
  const [script, ...form] = IN_DOM0.has(program)
    ? ["shared/packaging/build-program", "bundled"]
    : ["shared/packaging/build-script"];
  const { code, stderr } = await new Deno.Command("sh", {
    args: [`${PROJECT}/${script}`, source, target, ...form, ...programFlags(program)],
    env: {
      DENO: Deno.execPath(),
      BUNDLE_DENO: Deno.execPath(),
      LIBDIR: "/usr/lib/qubes-claw",
    },
    stdout: "null",
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
}

interface Ended {
  readonly code: number;
  readonly said: string;
}

async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    ...{ args: [...args], clearEnv: true, env: { ...env }, stdin: "null" },
  }).output();
  const text = new TextDecoder();
  return { code, said: text.decode(stdout) + text.decode(stderr) };
}

Deno.test("each program: the variables that go on, and none beside them", async (t) => {
  await using folder = await tempFolder();
  const values = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, `${name} $(exit 1) "a'b\\ *`]));
  for (const program of PROGRAMS) {
    await t.step(program, async () => {
      const { launcher, form, lib } = await install(program, folder.path);
      // What the launcher starts shows its environment instead.
      const [name = ""] = program.split(" ");
      const started = form === "compiled" ? `${lib}/${name}.bin` : `${lib}/deno`;
      await Deno.remove(started);
      writeExecutable(started, "#!/bin/sh\nexec /usr/bin/env -0\n");
      const expected = expectedNames(program);
      // LD_* and IFS would act on the two shells that stand here for programs.
      const hostile = Object.values(HOSTILE).flat().filter((one) =>
        !/^(LD_|BASH_FUNC|IFS)/.test(one)
      );
      const given = {
        ...values([...expected, ...hostile, FOUND_OUT]),
        ...{ QREXEC_REMOTE_DOMAIN: "work", "BASH_FUNC_start%%": "() { exec echo foreign; }" },
      };
      const { code, said } = await run(launcher, ["status"], given);
      assertEquals(code, 0, said);
      const seen = new Map(
        said.split("\0").slice(0, -1).map((line) => {
          const at = line.indexOf("=");
          return [line.slice(0, at), line.slice(at + 1)] as const;
        }),
      );
      for (const own of ["PWD", "SHLVL", "_", "OLDPWD"]) seen.delete(own); // the stand-in's shell
      if (form === "bundled") {
        assertEquals(seen.get("DENO_NO_UPDATE_CHECK"), "1");
        seen.delete("DENO_NO_UPDATE_CHECK");
      }
      const wanted = expected.filter((one) => one in given)
        .map((one) => [one, given[one as keyof typeof given]] as const);
      assertEquals([...seen].sort(), wanted);
    });
  }
});

Deno.test("each program does the same with foreign code in every such variable", async (t) => {
  await using folder = await tempFolder();
  const { path } = folder;
  const foreign = `${path}/foreign.cjs`;
  await Deno.writeTextFile(foreign, 'console.error("FOREIGN CODE");\n');
  await Deno.mkdir(`${path}/touched`);
  const touched = `${path}/touched/it`;
  const env = { HOME: `${path}/home`, PATH: "/usr/bin:/bin", QREXEC_REMOTE_DOMAIN: "work" };
  const attack: Readonly<Record<string, string>> = {
    ...{ NODE_OPTIONS: `--require ${foreign}`, NODE_CHANNEL_FD: "9", NODE_DEBUG: "fs,net,module" },
    ...{ DENO_INTERNAL_CHILD_ENTRYPOINT: foreign, DENO_V8_FLAGS: "--max-old-space-size=1" },
    ...{ DENO_LOG: "debug", DENO_COVERAGE_DIR: touched, DENO_AUDIT_PERMISSIONS: touched },
    ...{ DENO_PERMISSION_BROKER_PATH: touched, DENO_DIR: touched, DENO_CERT: touched },
    ...{ BASH_ENV: foreign, ENV: foreign, SHELLOPTS: "xtrace", PS4: "$(echo FOREIGN CODE >&2)" },
    ...{ TMPDIR: `${path}/touched`, XDG_CACHE_HOME: touched, QUBES_CLAW_LIB: path },
    ...{ OTEL_DENO: "true", DENO_AUTH_TOKENS: "bad" },
  };
  for (const program of PROGRAMS) {
    await t.step(program, async () => {
      const { launcher } = await install(program, path);
      const plain = await run(launcher, ["--version"], env);
      assert(!plain.said.includes("No such file"), plain.said);
      assertEquals(await run(launcher, ["--version"], { ...env, ...attack }), plain);
      assertEquals([...Deno.readDirSync(`${path}/touched`)], []);
    });
  }

  await t.step("the linker's reach the shell and env, and end there", async () => {
    const { launcher } = await install("qvm-remote", await Deno.makeTempDir({ dir: path }));
    const preload = { LD_PRELOAD: "/nowhere/foreign.so" };
    const { said } = await run(launcher, ["--version"], { ...env, ...preload });
    const complaints = said.split("\n").filter((line) => line.includes("/nowhere/foreign.so"));
    assertEquals(complaints.length, 2, said);
  });

  await t.step("without the launcher Deno obeys them", async () => {
    const { lib } = await install("qvm-remote", await Deno.makeTempDir({ dir: path }));
    const words = ["run", "--quiet", "--no-config", ...programFlags("qvm-remote")];
    const obeyed = async (name: string): Promise<string> =>
      (await run(`${lib}/deno`, [...words, `${lib}/qvm-remote.js`, "--version"], {
        ...{ ...env, [name]: attack[name] ?? "" },
      })).said;
    assertStringIncludes(await obeyed("NODE_OPTIONS"), "FOREIGN CODE");
    assertStringIncludes(await obeyed("NODE_CHANNEL_FD"), "NODE_CHANNEL_FD");
    assertStringIncludes(await obeyed("DENO_LOG"), "DEBUG");
    await obeyed("DENO_AUDIT_PERMISSIONS");
    assert(isPresent(touched), "DENO_AUDIT_PERMISSIONS writes");
    await Deno.remove(touched);
  });
});

Deno.test("a comma in a folder's name widens no permission: it is refused", async () => {
  await using folder = await tempFolder();
  const { launcher } = await install("openclaw-tunnel in a VM", folder.path);
  for (const name of ["HOME", "QUBES_CLAW_ROOT", "XDG_RUNTIME_DIR"]) {
    const { code, said } = await run(launcher, ["status"], { [name]: "/run,/" });
    assertEquals([code, said], [
      ...[1, "openclaw-tunnel: error: a folder has a comma in its name: /run,/\n"],
    ]);
  }
});

Deno.test("a program of dom0 looks for no code in TMPDIR, where others could put theirs", async () => {
  await using folder = await tempFolder();
  const tmp = `${folder.path}/tmp`;
  await Deno.mkdir(tmp);
  for (const program of IN_DOM0) {
    const { launcher, lib, form } = await install(program, folder.path);
    const started = form === "compiled" ? `${lib}/${program}.bin` : launcher;
    const env = { TMPDIR: tmp, HOME: folder.path, PATH: "/usr/bin:/bin", DENO_LOG: "debug" };
    const { code, said } = await run(started, ["--version"], env);
    assertEquals([code, said.includes(`${program} 2.`)], [0, true], said);
    assert(!said.includes(".cache"), said);
    assertEquals([...Deno.readDirSync(tmp)], [], program);
  }
});

async function tempFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
