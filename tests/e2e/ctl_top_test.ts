// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-ctl top: as text for a pipe, and in a terminal of its own that it must give back. @module */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { until } from "../until.ts";
import { type Scene, scene } from "./ctl_scene.ts";

Deno.test("top --once is plain text with all of it; --json the same for programs", async () => {
  await using here = await scene();
  const { world, proxy } = here;
  await world.journal([{
    ...{ __REALTIME_TIMESTAMP: "1795338371163000", PRIORITY: "3", MESSAGE: "bad \x1b[2J" },
    _SYSTEMD_USER_UNIT: "openclaw-gateway.service",
  }]);
  await (await proxy.chat({ model: "auto" })).text();
  const { code, stdout } = await here.run("top", "--once");
  assertEquals(code, 0, stdout);
  for (
    const part of [
      ...["openclaw  agent, multi", "gateway   ok  2026.9.6", "proxy     ok  2.0.0", "  a  "],
      ...["models    2  auto a/m", "requests  0 under way, 1 since its start"],
      ...["openclaw-gateway.service", "active (running)", "gateway   error: bad \\u{1b}[2J"],
    ]
  ) assertStringIncludes(stdout, part);
  const value = await here.json("top", "--once");
  assertEquals((value["logs"] as unknown[]).length, 1);
});

Deno.test("top without a terminal says what to do", async () => {
  await using here = await scene();
  const { code, stderr, stdout } = await here.run("top");
  assertEquals([code, stdout], [2, ""]);
  assertStringIncludes(stderr, "for a pipe: openclaw-ctl top --once");
});

for (
  const [name, end, code, environment] of [
    ["q", (pty: Pty) => pty.type("q"), 0, {}],
    ["Ctrl-C", (pty: Pty) => pty.type("\x03"), 0, {}],
    ["SIGTERM", (pty: Pty) => pty.signal("TERM"), 143, {}],
    ["SIGINT", (pty: Pty) => pty.signal("INT"), 130, {}],
    ["SIGHUP", (pty: Pty) => pty.signal("HUP"), 129, {}],
    ["q, NO_COLOR", (pty: Pty) => pty.type("q"), 0, { NO_COLOR: "1" }],
  ] as const
) {
  Deno.test(`top in a terminal ends by ${name}, and leaves it as it was`, async () => {
    await using here = await scene();
    await using pty = await openPty(here, environment);
    await pty.until("gateway   ");
    await pty.until("models    2");
    await end(pty);
    const text = await pty.until("CODE=");
    await pty.until("AFTER=");
    const after = await pty.ended();
    assertStringIncludes(after, `CODE=${code}\r\n`);
    const [, before] = /BEFORE=(\S+)/.exec(after) ?? [];
    assertStringIncludes(after, `AFTER=${before}\r\n`, "the terminal's settings");
    assert(/icanon/.test(after) && !/-icanon/.test(after.slice(after.indexOf("ALL="))), after);
    assertEquals(count(text, "\x1b[?1049h"), 1, "it goes to the second screen");
    assertEquals(count(text, "\x1b[?1049l"), 1, "and comes back");
    assertEquals([count(text, "\x1b[?25l"), count(text, "\x1b[?25h")], [1, 1], "the cursor");
    const colours = text.includes("\x1b[32mok");
    assertEquals(colours, !("NO_COLOR" in environment));
  });
}

Deno.test("top draws anew when the terminal's size changes, and never wider than it", async () => {
  await using here = await scene();
  await using pty = await openPty(here, { NO_COLOR: "1" });
  await pty.until("models    2");
  const frame = (): readonly string[] => {
    const [last = ""] = pty.text().split("\x1b[H").slice(-1);
    return last.includes("q quits") ? last.split(/\r+\n/) : [];
  };
  await pty.resize(30, 8);
  await until("a frame of that size", () => frame().length === 8);
  for (const line of frame()) {
    // deno-lint-ignore no-control-regex -- the end of each line
    assert(line.replace(/\x1b\[[KJ]/g, "").length <= 30, JSON.stringify(line));
  }
  await pty.type("q");
  await pty.ended();
});

interface Pty extends AsyncDisposable {
  /** Waits for a text; returns all that was printed so far. */
  until(word: string): Promise<string>;
  text(): string;
  clear(): void;
  type(keys: string): Promise<void>;
  /** To the program, not to the terminal. */
  signal(name: string): Promise<void>;
  resize(columns: number, rows: number): Promise<void>;
  /** All of it, when the shell in it has ended. */
  ended(): Promise<string>;
}

/** A shell in a terminal made by script(1), which runs top and then looks at its terminal. */
async function openPty(
  { world }: Scene,
  environment: Readonly<Record<string, string>>,
): Promise<Pty> {
  const program = await world.launcher("openclaw-ctl");
  const shell = `stty cols 120 rows 40; tty >${world.folder}/tty; printf 'BEFORE=%s\\n' "$(stty -g)"
sh -c 'echo $$ >${world.folder}/pid; exec "${program}" top --every 1'
printf 'CODE=%s\\n' $?; printf 'AFTER=%s\\n' "$(stty -g)"; echo "ALL=$(stty -a)"\n`;
  await world.write(`${world.folder}/in-terminal`, shell);
  const child = new Deno.Command("script", {
    args: ["-qec", `sh ${world.folder}/in-terminal`, "/dev/null"],
    ...{ env: { ...world.env, ...environment }, clearEnv: true },
    ...{ stdin: "piped", stdout: "piped", stderr: "null" },
  }).spawn();
  const keys = child.stdin.getWriter();
  let [all, from] = ["", 0];
  let look = (): void => {};
  const done = (async () => {
    for await (const part of child.stdout.pipeThrough(new TextDecoderStream() as never)) {
      all += part;
      look();
    }
    look();
  })();
  let over = false;
  done.then(() => over = true);
  const read = async (name: string): Promise<string> =>
    (await Deno.readTextFile(`${world.folder}/${name}`)).trim();
  return {
    text: () => all.slice(from),
    clear: () => void (from = all.length),
    type: (text) => keys.write(new TextEncoder().encode(text)),
    async signal(name) {
      await new Deno.Command("kill", { args: [`-${name}`, await read("pid")] }).output();
    },
    async resize(columns, rows) {
      const size = ["cols", String(columns), "rows", String(rows)];
      await new Deno.Command("stty", { args: ["-F", await read("tty"), ...size] }).output();
    },
    until: (word) =>
      new Promise((resolve, reject) => {
        const give = setTimeout(() => reject(new Error(`no ${word} in: ${all}`)), 60_000);
        look = () => {
          if (!all.slice(from).includes(word)) {
            if (over) clearTimeout(give), reject(new Error(`ended without ${word}: ${all}`));
            return;
          }
          clearTimeout(give);
          resolve(all.slice(from));
        };
        look();
      }),
    async ended() {
      await done;
      return all;
    },
    async [Symbol.asyncDispose]() {
      await keys.close().catch(() => {});
      if (!over) child.kill("SIGKILL");
      await done;
      await child.status;
    },
  };
}

const count = (text: string, word: string): number => text.split(word).length - 1;
