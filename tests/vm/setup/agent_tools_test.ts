// SPDX-License-Identifier: GPL-2.0-or-later
/** setup-vm adds "qvm-remote mcp" to OpenClaw if it is wanted, and where it would work. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UsageError, UserError } from "../../../shared/cli/program.ts";
import { AbsentProgram } from "../../../shared/io/run_tool.ts";
import { runSetup } from "../../../vm/setup/main.ts";
import { placesOf } from "../../../vm/setup/places.ts";
import { installShare } from "../../e2e/setup_vm_world.ts";

const SERVERS = { qubes: { args: ["mcp"], command: "qvm-remote" } };

/** What qvm-remote is in this VM. */
type Remote = "ready" | "absent" | "without a key" | "not let in";

interface Home extends AsyncDisposable {
  readonly config: string;
  remote: Remote;
  /** What the person at the terminal types; null: there is no terminal. */
  answer: string | null;
  /** @returns all that was printed */
  setup(...words: string[]): Promise<string>;
  mcp(): Promise<unknown>;
  write(config: unknown): Promise<void>;
}

/** OpenClaw is installed, as it looks; every tool is content. */
async function home(): Promise<Home> {
  const root = await Deno.makeTempDir({ prefix: "agent-tools-" });
  const places = placesOf(root, `${root}/home/user`, "user");
  await Deno.mkdir(places.home, { recursive: true });
  await installShare(root);
  for (const name of ["node", "openclaw"]) {
    await Deno.mkdir(`${places.systemLib}/${name}`, { recursive: true });
    const list = `${name}/package-lock.json`;
    const stamp = `${places.systemLib}/${name}/installed-package-lock.json`;
    await Deno.copyFile(`${places.share}/${list}`, stamp);
  }
  const config = `${places.state}/openclaw.json`;
  const one: Home = {
    config,
    remote: "ready",
    answer: null,
    async setup(...words) {
      let printed = "";
      const print = (text: string): void => void (printed += text);
      await runSetup({
        places,
        tools: { run: ({ argv }) => Promise.resolve(ended(one.remote, argv)) },
        qubesDb: (path) => Promise.resolve(path === "/qubes-vm-persistence" ? "full" : undefined),
        isWrongUser: false,
        print,
        warn: print,
        isTerminal: one.answer !== null,
        ask: (question) => (print(question), one.answer),
      }, words);
      return printed;
    },
    mcp: async () => JSON.parse(await Deno.readTextFile(config)).mcp,
    async write(value) {
      await Deno.mkdir(places.state, { recursive: true });
      await Deno.writeTextFile(
        config,
        typeof value === "string" ? value : JSON.stringify(value),
      );
    },
    [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }),
  };
  return one;
}

const PORTS = JSON.stringify({
  whitelisted: true,
  open: ["18789", "32125"].map((port) => ({ service: "qubes.ConnectTCP", port, per_vm: false })),
});

function ended(remote: Remote, argv: readonly string[]) {
  const [program = "", ...words] = argv[0] === "sudo" ? argv.slice(2) : argv;
  const end = (code: number, stdout = "") => ({ code, stdout, stderr: "" });
  if (program === "qvm-remote") {
    if (remote === "absent") throw new AbsentProgram("there is no qvm-remote");
    const works = words[0] === "ping" ? remote === "ready" : remote !== "without a key";
    return end(works ? 0 : 1);
  }
  if (program.endsWith("/openclaw")) return end(0, '{"valid":true}');
  if (program === "grep") return end(0, "MemTotal: 8000000 kB\n");
  if (program === "openclaw-ports") return end(0, PORTS);
  return end(0);
}

Deno.test("--mcp adds one server, says so, twice is once, and --undo takes it back", async () => {
  await using vm = await home();
  await vm.write({
    gateway: { bind: "loopback" },
    mcp: { servers: { echo: { command: "echo" } } },
  });
  const dry = await vm.setup("openai", "--mcp", "--dry-run");
  assertStringIncludes(dry, "openclaw config set mcp.servers.qubes");
  assertEquals(await vm.mcp(), { servers: { echo: { command: "echo" } } });

  const said = await vm.setup("openai", "--mcp");
  assertStringIncludes(said, "mcp.servers.qubes in " + vm.config + ': {"args":["mcp"],');
  const added = { servers: { echo: { command: "echo" }, ...SERVERS }, sessionIdleTtlMs: 600000 };
  assertEquals(await vm.mcp(), added);

  for (const words of [["--mcp"], [], ["--verify"]]) {
    const again = await vm.setup("openai", ...words);
    assert(!/mcp\.servers\.qubes .*policy goes\)/.test(again), again);
    assertEquals(await vm.mcp(), added);
  }
  await vm.setup("--undo");
  assertEquals(await vm.mcp(), { servers: { echo: { command: "echo" } } });
});

Deno.test("--no-mcp takes it back, and a new openclaw.json gets no more than the server", async () => {
  await using vm = await home();
  await vm.setup("openai", "--mcp");
  assertEquals(await vm.mcp(), { sessionIdleTtlMs: 600000, servers: SERVERS });
  await vm.setup("openai", "--no-mcp");
  assertEquals(await vm.mcp(), { sessionIdleTtlMs: 600000, servers: {} });
});

Deno.test("what the user made of it stays: a filter of tools, a time, a server of his own", async () => {
  await using vm = await home();
  await vm.write({ mcp: { sessionIdleTtlMs: 5000 } });
  await vm.setup("openai", "--mcp");
  const mine = { ...SERVERS.qubes, toolFilter: { exclude: ["run"] } };
  await vm.write({ mcp: { sessionIdleTtlMs: 5000, servers: { qubes: mine } } });
  await vm.setup("openai");
  assertStringIncludes(await vm.setup("--undo"), "somebody else has changed it since");
  assertEquals(await vm.mcp(), { sessionIdleTtlMs: 5000, servers: { qubes: mine } });

  await using other = await home();
  await other.write({ mcp: { servers: { qubes: mine } } });
  other.answer = "y";
  const said = await other.setup("openai");
  assert(!said.includes("Add it?"), "it is there already");
  assertEquals(await other.mcp(), { servers: { qubes: mine } });
});

Deno.test("on a terminal it is asked, once per run, and only yes is one", async () => {
  for (
    const [answer, words, isAdded] of [
      ["y", [], true],
      ["yes", [], true],
      ["", [], false],
      ["no", [], false],
      [null, [], false],
      ["", ["--yes"], true],
      [null, ["--yes"], false],
      ["y", ["--json"], false],
      ["y", ["--no-mcp"], false],
      ["y", ["--verify"], false],
      ["y", ["--dry-run"], false],
    ] as const
  ) {
    await using vm = await home();
    await vm.setup("openai", "--no-mcp");
    vm.answer = answer;
    const said = await vm.setup("openai", ...words);
    const { servers } = await vm.mcp() as { servers: unknown };
    assertEquals(servers, isAdded ? SERVERS : {}, `${answer} ${words}: ${said}`);
    const isAsked = answer !== null && words.length === 0;
    assertEquals(said.includes("Add it? [y/N]"), isAsked, said);
    if (!isAdded && words.length === 0) assertStringIncludes(said, "run this again with --mcp");
  }
});

Deno.test("where it would not work, --mcp changes nothing, and the next step is said", async () => {
  for (
    const [remote, hint] of [
      ["absent", "install the package qvm-remote"],
      ["without a key", "qvm-remote key gen"],
      ["not let in", "qvm-remote-dom0 authorize --fetch --grant ask VM"],
    ] as const
  ) {
    await using vm = await home();
    vm.remote = remote;
    const error = await assertRejects(() => vm.setup("openai", "--mcp"), UserError);
    assertStringIncludes(error.hints.join("\n"), hint);
    assertStringIncludes(error.hints.join("\n"), "nothing was changed");
    await assertRejects(() => Deno.stat(vm.config), Deno.errors.NotFound);
    vm.answer = "y";
    const said = await vm.setup("openai");
    assert(!said.includes("Add it?"), said);
    assertStringIncludes(said, hint);
  }
});

Deno.test("a server that has the name, and a file with comments, are in the way", async () => {
  for (
    const [config, text] of [
      [{ mcp: { servers: { qubes: { url: "https://example.org" } } } }, "another MCP server"],
      ['// mine\n{"mcp": {}}', "is not plain JSON"],
    ] as const
  ) {
    await using vm = await home();
    await vm.write(config);
    const before = await Deno.readTextFile(vm.config);
    const error = await assertRejects(() => vm.setup("openai", "--mcp"), UserError);
    assertStringIncludes(error.message, text);
    assertEquals(await Deno.readTextFile(vm.config), before);
  }
});

Deno.test("--mcp is the agent's: neither a key qube's nor a container's", async () => {
  await using vm = await home();
  for (const other of ["--keys", "--only-files", "--no-mcp"]) {
    const error = await assertRejects(() => vm.setup("openai", "--mcp", other), UsageError);
    assertEquals(error.message, `--mcp does not go with ${other}`);
  }
  vm.answer = "y";
  assert(!(await vm.setup("openai", "--keys")).includes("mcp"));
});
