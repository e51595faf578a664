// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-ports without a VM: what goes where, and what the refusing script does with words. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { UsageError, UserError } from "../../../shared/cli/program.ts";
import { parseTcpPort } from "../../../shared/io/tcp_port.ts";
import { DEFAULT_PORTS, parsePorts, parseProxyPort } from "../../../vm/ports/cli.ts";
import { chooseForm } from "../../../vm/ports/link_support.ts";
import { PER_VM_SCRIPT, portScript, REFUSAL_SCRIPT } from "../../../vm/ports/refusal_script.ts";
import { parsePortFile, planFiles } from "../../../vm/ports/service_files.ts";
import { readVmKind } from "../../../vm/ports/vm_kind.ts";
import { writeExecutable } from "../../executable.ts";

const PORT = parseTcpPort("32125");

Deno.test("what a VM keeps is what QubesDB says", async () => {
  const kinds: readonly (readonly [type: string, persistence: string, kind: string])[] = [
    ["AppVM", "rw-only", "app"],
    ["StandaloneVM", "full", "standalone"],
    ["TemplateVM", "full", "template"],
  ];
  for (const [type, persistence, kind] of kinds) {
    const values = new Map([["/type", type], ["/qubes-vm-persistence", persistence]]);
    assertEquals(await readVmKind((path) => Promise.resolve(values.get(path))), kind as "app");
  }
  const old = new Map([["/qubes-vm-type", "TemplateVM"], ["/qubes-vm-persistence", "full"]]);
  assertEquals(await readVmKind((path) => Promise.resolve(old.get(path))), "template");
  const bad = [["none", "disposable"], ["half", "unknown persistence"], [
    undefined,
    "does not say",
  ]];
  for (const [value, message] of bad) {
    await assertRejects(() => readVmKind(() => Promise.resolve(value)), UserError, message);
  }
});

Deno.test("files are where the VM keeps them, the refusal before the ports", () => {
  const paths = (kind: "app" | "standalone" | "template"): readonly string[] =>
    planFiles(kind, "link", [PORT]).files.map(({ path }) => path);
  assertEquals(paths("app"), [
    "/usr/local/etc/qubes-rpc/qubes.ConnectTCP",
    "/usr/local/etc/qubes-rpc/openclaw.Mux",
    "/usr/local/etc/qubes-rpc/qubes.ConnectTCP+32125",
    "/usr/local/etc/qubes-rpc/openclaw.Mux+32125",
  ]);
  assertEquals(paths("standalone").slice(2), [
    "/etc/qubes-rpc/qubes.ConnectTCP+32125",
    "/etc/qubes-rpc/openclaw.Mux+32125",
  ]);
  for (const kind of ["app", "standalone", "template"] as const) {
    assert(!paths(kind).includes("/etc/qubes-rpc/qubes.ConnectTCP"), "that is a package's");
    for (const file of planFiles(kind, "link", [PORT]).files) {
      if (!("linkTo" in file) || file.linkTo.startsWith("/dev/tcp")) continue;
      const target = new URL(file.linkTo, `file://${file.path}`).pathname;
      assertEquals(target, "/usr/lib/qubes-claw/openclaw.Mux");
    }
  }
});

Deno.test("a link names the host only; a script names its port and never the argument", () => {
  const [, , link] = planFiles("app", "link", [PORT]).files;
  assertEquals(link && "linkTo" in link && link.linkTo, "/dev/tcp/127.0.0.1");
  const script = portScript(PORT);
  assert(script.includes("TCP:127.0.0.1:32125\n"));
  assert(!/[$`]/.test(script), "nothing is expanded");
});

Deno.test("per VM: a script without a port, and the program that has no TCP", () => {
  for (const kind of ["app", "standalone", "template"] as const) {
    const [connect, mux] = planFiles(kind, "per-vm", [PORT]).files.slice(2);
    assert(connect !== undefined && "text" in connect && connect.text === PER_VM_SCRIPT, kind);
    assert(mux !== undefined && "linkTo" in mux);
    const target = new URL(mux.linkTo, `file://${mux.path}`).pathname;
    assertEquals(target, "/usr/lib/qubes-claw/openclaw.MuxPerVm");
  }
  assert(!PER_VM_SCRIPT.includes("TCP"));
  assertEquals(parseProxyPort([]).map(Number), [32125]);
  assertEquals(parseProxyPort(["4000"]).map(Number), [4000]);
  assertThrows(() => parseProxyPort(["32125", "18789"]), UsageError, "one port");
});

Deno.test("per VM: whom the script lets through, and to which socket", async () => {
  const home = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${home}/.openclaw/vm-sockets`, { recursive: true });
    writeExecutable(`${home}/connect`, PER_VM_SCRIPT);
    for (const tool of ["logger", "socat"]) {
      const text = `#!/bin/sh\nfor word; do :; done\nprintf '${tool}: %s' "$word"\n`;
      writeExecutable(`${home}/${tool}`, text);
    }
    const listeners = ["claw", "a b", ".."].map((name) =>
      Deno.listen({ transport: "unix", path: `${home}/.openclaw/vm-sockets/${name}.sock` })
    );
    await Deno.writeTextFile(`${home}/.openclaw/vm-sockets/file.sock`, "");
    const run = async (caller: string | undefined): Promise<readonly unknown[]> => {
      const { code, stdout } = await new Deno.Command(`${home}/connect`, {
        clearEnv: true,
        env: {
          ...{ HOME: home, PATH: `${home}:/usr/bin:/bin`, QREXEC_SERVICE_FULL_NAME: "x+1" },
          ...caller === undefined ? {} : { QREXEC_REMOTE_DOMAIN: caller },
        },
      }).output();
      return [code, new TextDecoder().decode(stdout)];
    };
    const socket = `socat: UNIX-CONNECT:${home}/.openclaw/vm-sockets/claw.sock`;
    assertEquals(await run("claw"), [0, socket]);
    const others = [
      "other",
      "",
      undefined,
      "a b",
      "file",
      "claw.sock",
      "../vm-sockets/claw",
      "a,b",
    ];
    for (const caller of others) {
      const [code, said] = await run(caller);
      assertEquals(code, 125, `${caller}`);
      assert(
        /^logger: refused: x\+1 from [\w.?+-]*, which is no client$/.test(`${said}`),
        `${said}`,
      );
    }
    for (const listener of listeners) listener.close();
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("ports are parsed strictly", () => {
  assertEquals(parsePorts([]), DEFAULT_PORTS);
  assertEquals(parsePorts(["80"]).map(Number), [80]);
  for (const words of [["0"], ["080"], ["65536"], ["80,fork"], ["-1"], [""], ["80", "80"]]) {
    assertThrows(() => parsePorts(words), UsageError);
  }
  assertThrows(() => parsePorts(Array.from({ length: 33 }, (_, i) => `${i + 1}`)), UsageError);
});

Deno.test("only files named after a service and an argument are looked at", () => {
  assertEquals(parsePortFile("qubes.ConnectTCP+80")?.untrustedPort, "80");
  assertEquals(parsePortFile("openclaw.Mux+")?.untrustedPort, "");
  for (const name of ["qubes.ConnectTCP", "qubes.ConnectTCPx+80", "x+80", ".qubes.ConnectTCP+1"]) {
    assertEquals(parsePortFile(name), null, name);
  }
});

Deno.test("links are chosen where the packages prove that the agent serves them", async () => {
  const root = await Deno.makeTempDir();
  try {
    const chosen = async (): Promise<string> => (await chooseForm(root, undefined)).form;
    assertEquals(await chosen(), "script", "nothing is known");
    await Deno.mkdir(`${root}/etc/qubes-rpc`, { recursive: true });
    await Deno.mkdir(`${root}/etc/qubes/rpc-config`, { recursive: true });
    await Deno.symlink("/dev/tcp/127.0.0.1", `${root}/etc/qubes-rpc/qubes.ConnectTCP`);
    assertEquals(await chosen(), "script", "the port would get the words of the call");
    await assertRejects(() => chooseForm(root, "link"), UserError, "skip-service-descriptor");
    const config = `${root}/etc/qubes/rpc-config/qubes.ConnectTCP`;
    await Deno.writeTextFile(config, "# x\nskip-service-descriptor = true\n");
    assertEquals(await chosen(), "link");
    await Deno.writeTextFile(config, "skip-service-descriptor=false\n");
    assertEquals(await chosen(), "script");
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

/** Runs the refusing script with a logger that keeps its arguments. */
async function refuse(caller: string | undefined, asked: string): Promise<readonly string[]> {
  const folder = await Deno.makeTempDir();
  try {
    writeExecutable(`${folder}/refuse`, REFUSAL_SCRIPT);
    const logger = `#!/bin/sh\nprintf '%s\\0' "$@" >'${folder}/logged'\n`;
    writeExecutable(`${folder}/logger`, logger);
    const { code, stdout, stderr } = await new Deno.Command(`${folder}/refuse`, {
      args: [asked.slice(asked.indexOf("+") + 1)],
      clearEnv: true,
      cwd: folder,
      env: {
        PATH: `${folder}:/usr/bin:/bin`,
        QREXEC_SERVICE_FULL_NAME: asked,
        ...(caller === undefined ? {} : { QREXEC_REMOTE_DOMAIN: caller }),
      },
    }).output();
    assertEquals([code, stdout.length], [125, 0]);
    assertEquals(new TextDecoder().decode(stderr), "openclaw-ports: this port is not open\n");
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assertEquals(names, ["logged", "logger", "refuse"], "something was run");
    return (await Deno.readTextFile(`${folder}/logged`)).split("\0").slice(0, -1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the refusal logs caller and port as one clean argument, and runs none of it", async () => {
  const log = async (caller: string | undefined, asked: string) =>
    (await refuse(caller, asked)).at(-1);
  assertEquals(await refuse("work", "qubes.ConnectTCP+22"), [
    ...["-t", "openclaw-ports", "-p", "auth.warning", "--"],
    "refused: qubes.ConnectTCP+22 from work",
  ]);
  assertEquals(await log(undefined, ""), "refused:  from ");
  const hostile = "qubes.ConnectTCP+$(touch hacked)`touch hacked`;touch hacked\n\x1b[2J'\"\\%s%n";
  assertEquals(
    await log("a\nb;touch hacked", hostile),
    "refused: qubes.ConnectTCP+??touch?hacked??touch?hacked??touch?hacked???2J from a?b?touch?hacked",
  );
  const long = await log("x".repeat(10_000), `qubes.ConnectTCP+${"9".repeat(10_000)}`) ?? "";
  assertEquals(long.length, "refused:  from ".length + 2 * 64);
});
