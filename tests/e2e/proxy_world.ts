// SPDX-License-Identifier: GPL-2.0-or-later
/** The real openclaw-proxy, with the permissions it is installed with, and all that it prints. @module */

import { builtText, replaced } from "./launcher_text.ts";
import { sourceLauncher } from "./program_flags.ts";
import { writeExecutable } from "../executable.ts";

const DENO_DIR = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
const BUILT = Deno.env.get("QVM_REMOTE_BUILT");

export interface ProxyWorld {
  readonly url: string;
  readonly home: string;
  readonly pid: number;
  /** All that the program wrote so far. */
  output(): string;
  /** Waits for a line of the log that the test accepts. */
  logged(accepts: (line: string) => boolean): Promise<string>;
  writeConfig(config: unknown): Promise<void>;
  post(path: string, body: unknown, init?: RequestInit): Promise<Response>;
  chat(body: Record<string, unknown>, init?: RequestInit): Promise<Response>;
  /** Stops it, and removes its home. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface WorldOptions {
  /** The lines of proxy.env. */
  readonly secrets?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Written as cursor-proxy.json, and no proxy.json. */
  readonly original?: unknown;
  /** A folder of sockets that is there already: it is moved to its place. */
  readonly sockets?: string;
  /** Puts more into ~/.openclaw before it starts. */
  readonly prepare?: (folder: string) => Promise<void>;
  /** Of the runtime, one V8 flag more than it is installed with. */
  readonly v8Flag?: string;
}

export async function startProxy(
  config: unknown,
  { secrets = "", environment = {}, original, sockets, prepare, v8Flag }: WorldOptions = {},
): Promise<ProxyWorld> {
  const home = await Deno.makeTempDir({ prefix: "proxy-" });
  const folder = `${home}/.openclaw`;
  await Deno.mkdir(folder, { mode: 0o700 });
  if (sockets !== undefined) await Deno.rename(sockets, `${folder}/vm-sockets`);
  const writeConfig = async (next: unknown): Promise<void> => {
    await Deno.writeTextFile(`${folder}/.new`, JSON.stringify(next));
    await Deno.rename(`${folder}/.new`, `${folder}/proxy.json`);
  };
  if (original === undefined) await writeConfig(config);
  else await Deno.writeTextFile(`${folder}/cursor-proxy.json`, JSON.stringify(original));
  await Deno.writeTextFile(`${folder}/proxy.env`, secrets, { mode: 0o600 });
  await prepare?.(folder);
  const env = {
    ...{ HOME: home, PATH: Deno.env.get("PATH") ?? "", OPENCLAW_PROXY_PORT: "0" },
    ...environment,
  };
  const child = proxyCommand(home, env, [], v8Flag).spawn();
  const printed = collect(child.stderr);
  const port = await printed.wait((line) => line.includes('"listening"'));
  const url = `http://127.0.0.1:${JSON.parse(port).port}`;
  const post = (path: string, body: unknown, init: RequestInit = {}): Promise<Response> =>
    fetch(url + path, {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
      ...init,
      headers: { "content-type": "application/json", ...init.headers as Record<string, string> },
    });
  return {
    ...{ url, home, pid: child.pid, writeConfig, post },
    output: printed.text,
    logged: printed.wait,
    chat: (body, init) =>
      post("/v1/chat/completions", { messages: [{ role: "user", content: "hi" }], ...body }, init),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
      await printed.done;
      await Deno.remove(home, { recursive: true });
    },
  };
}

/** The program as it is installed: from source with the Makefile's flags, or as it was built. */
export function proxyCommand(
  home: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[],
  v8Flag?: string,
): Deno.Command {
  const text = BUILT === undefined
    ? sourceLauncher("openclaw-proxy", "vm/openclaw-proxy.ts")
    : builtText(`${BUILT}/vm/openclaw-proxy`, `${home}/lib`);
  const launcher = `${home}/openclaw-proxy`;
  const started = v8Flag === undefined
    ? text
    : replaced(text, "--v8-flags=", `--v8-flags=${v8Flag},`);
  writeExecutable(launcher, started);
  return new Deno.Command(launcher, {
    ...{ args: [...args], env: { DENO_DIR, ...env }, clearEnv: true },
    ...{ stdin: "null", stdout: args.length === 0 ? "null" : "piped", stderr: "piped" },
  });
}

function collect(stream: ReadableStream<Uint8Array>) {
  let text = "";
  let ended = false;
  const waiting = new Set<() => void>();
  const done = (async () => {
    for await (const part of stream.pipeThrough(new TextDecoderStream() as never)) {
      text += part;
      for (const look of waiting) look();
    }
    ended = true;
    for (const look of waiting) look();
  })();
  return {
    done,
    text: () => text,
    wait: (accepts: (line: string) => boolean): Promise<string> =>
      new Promise((resolve, reject) => {
        const finish = (): void => {
          clearTimeout(timer);
          waiting.delete(look);
        };
        const look = (): void => {
          const line = text.split("\n").slice(0, -1).find(accepts);
          if (line !== undefined) finish(), resolve(line);
          else if (ended) finish(), reject(new Error(`ended without the line:\n${text}`));
        };
        const timer = setTimeout(() => {
          finish();
          reject(new Error(`no such line in 10 s:\n${text}`));
        }, 60_000);
        waiting.add(look);
        look();
      }),
  };
}
