// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A VM for openclaw-ctl and openclaw-watchdog: a home, stand-ins for systemctl, journalctl and
 * OpenClaw's program on PATH, and a gateway's double on loopback that answers as the real one.
 *
 * @module
 */

import { builtText } from "./launcher_text.ts";
import { type Program, sourceLauncher } from "./program_flags.ts";
import { writeExecutable } from "../executable.ts";

const BUILT = Deno.env.get("QVM_REMOTE_BUILT");

export const GATEWAY_TOKEN = "tok-0123456789abcdef0123456789abcdef";
export const HOOKS_TOKEN = "hook-fedcba9876543210fedcba9876543210";

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CtlWorld extends AsyncDisposable {
  readonly folder: string;
  readonly home: string;
  /** QUBES_CLAW_ROOT. */
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  ctl(...words: readonly string[]): Promise<Ran>;
  /** The launcher's path: what a terminal runs. */
  launcher(program: Program): Promise<string>;
  write(path: string, text: string): Promise<void>;
  /** A program, or what stands in for one. */
  executable(path: string, text: string): Promise<void>;
  settings(settings: Readonly<Record<string, unknown>>): Promise<void>;
  /** NAME=VALUE of systemctl show; without: it is not there. */
  unit(name: string, properties: Readonly<Record<string, string>> | null): Promise<void>;
  /** A shell script that "systemctl restart" runs; without, it does nothing. */
  onRestart(unit: string, script: string): Promise<void>;
  journal(entries: readonly Readonly<Record<string, unknown>>[]): Promise<void>;
  /** What OpenClaw's program answers to these words. */
  openclaw(words: string, stdout: string, code?: number): Promise<void>;
  /** Each call of a stand-in, as one line. */
  calls(): Promise<readonly string[]>;
}

/** An installed agent VM in which all is well, but that nothing listens. */
export async function createCtlWorld(): Promise<CtlWorld> {
  const folder = await Deno.makeTempDir({ prefix: "ctl-" });
  const [home, root, bin] = [`${folder}/home`, `${folder}/root`, `${folder}/bin`];
  const runtime = `${folder}/runtime`;
  const standIns = `${folder}/stand-ins`;
  for (const path of [root, bin, runtime, `${standIns}/units`, `${standIns}/openclaw`]) {
    await Deno.mkdir(path, { recursive: true });
  }
  const denoFolder = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  const env = {
    ...{ HOME: home, PATH: `${bin}:/usr/bin:/bin`, QUBES_CLAW_ROOT: root, DENO_DIR: denoFolder },
    ...{ XDG_RUNTIME_DIR: runtime, STAND_INS: standIns, TERM: "xterm", LC_ALL: "C.UTF-8" },
  };
  const makeFolderOf = (path: string): Promise<void> =>
    Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o700 });
  const write = async (path: string, text: string): Promise<void> => {
    await makeFolderOf(path);
    await Deno.writeTextFile(path, text, { mode: 0o600 });
  };
  const executable = async (path: string, text: string): Promise<void> => {
    await makeFolderOf(path);
    writeExecutable(path, text);
  };
  const launcher = async (program: Program): Promise<string> => {
    const path = `${bin}/${program}`;
    const text = BUILT === undefined
      ? sourceLauncher(program, `vm/${program}.ts`)
      : builtText(`${BUILT}/vm/${program}`, `${folder}/lib`);
    await executable(path, text);
    return path;
  };
  const world: CtlWorld = {
    ...{ folder, home, root, env, write, executable, launcher },
    async ctl(...words) {
      const path = await launcher("openclaw-ctl");
      return await runToEnd(path, words, env);
    },
    settings: (settings) => write(`${home}/.config/openclaw/vm.json`, JSON.stringify(settings)),
    async unit(name, properties) {
      const path = `${standIns}/units/${name}`;
      if (properties === null) return await Deno.remove(path).catch(() => {});
      const all = {
        ...{ LoadState: "loaded", ActiveState: "active", SubState: "running" },
        ...{ UnitFileState: "enabled", ExecMainStatus: "0", NRestarts: "0" },
        ...{ MemoryCurrent: "52428800", ActiveEnterTimestamp: "@1700000000", ...properties },
      };
      const lines = Object.entries(all).map(([key, value]) => `${key}=${value}\n`);
      await write(path, [`Id=${name}\n`, ...lines].join(""));
    },
    onRestart: (unit, script) => executable(`${standIns}/restart-${unit}`, `#!/bin/sh\n${script}`),
    journal: (entries) =>
      write(`${standIns}/journal`, entries.map((one) => JSON.stringify(one) + "\n").join("")),
    async openclaw(words, stdout, code = 0) {
      const name = words.replaceAll(" ", "_");
      await write(`${standIns}/openclaw/${name}`, stdout);
      await write(`${standIns}/openclaw/${name}.code`, String(code));
    },
    async calls() {
      const text = await Deno.readTextFile(`${standIns}/calls`).catch(() => "");
      return text.split("\n").slice(0, -1);
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
  await executable(`${bin}/systemctl`, SYSTEMCTL);
  await executable(`${bin}/journalctl`, JOURNALCTL);
  const openclaw = `${home}/.local/lib/qubes-claw/openclaw/bin`;
  await executable(`${openclaw}/openclaw`, OPENCLAW);
  await executable(`${openclaw}/node`, '#!/bin/sh\ncat "$STAND_INS/openclaw/node"\n');
  await world.openclaw("--version", "OpenClaw 2026.9.6 (eb377ac)\n");
  await world.openclaw("node", "v24.21.0\n");
  await world.openclaw("config validate --json", '{"valid":true,"path":"x","warnings":[]}\n');
  await world.openclaw("devices list --json", '{"pending":[],"paired":[]}\n');
  await world.journal([]);
  await write(`${home}/.openclaw/gateway-token`, GATEWAY_TOKEN + "\n");
  await write(`${home}/.openclaw/openclaw.json`, JSON.stringify(GOOD_OPENCLAW_JSON));
  await write(`${home}/.openclaw/proxy.json`, JSON.stringify(GOOD_PROXY_JSON));
  await write(`${home}/.openclaw/proxy.env`, "OPENAI_API_KEY=sk-very-secret-0123456789\n");
  for (const part of ["proxy", "gateway", "watchdog"]) {
    await world.unit(`openclaw-${part}.service`, {});
  }
  return world;
}

export const GOOD_OPENCLAW_JSON = {
  gateway: {
    ...{ mode: "local", bind: "loopback", terminal: { enabled: false } },
    nodes: { pairing: { autoApproveLocal: false } },
  },
  hooks: { enabled: true, token: HOOKS_TOKEN, path: "/hooks" },
};
export const GOOD_PROXY_JSON = {
  providers: { openai: { kind: "openai", apiKey: { env: "OPENAI_API_KEY" } } },
};

/** Appends each call to $STAND_INS/calls. */
const SYSTEMCTL = `#!/bin/sh
echo "systemctl $*" >>"$STAND_INS/calls"
if [ -e "$STAND_INS/systemctl-fails" ]; then cat "$STAND_INS/systemctl-fails" >&2; exit 1; fi
while [ $# -gt 0 ] && [ "$1" != show ] && [ "$1" != restart ]; do shift; done
verb=$1
while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done
shift
for unit in "$@"; do
  if [ "$verb" = restart ]; then
    [ -e "$STAND_INS/restart-$unit" ] || continue
    "$STAND_INS/restart-$unit" || exit 1
  elif [ -e "$STAND_INS/units/$unit" ]; then cat "$STAND_INS/units/$unit"; echo
  else printf 'Id=%s\\nLoadState=not-found\\nActiveState=inactive\\nSubState=dead\\n\\n' "$unit"; fi
done
`;

const JOURNALCTL = `#!/bin/sh
echo "journalctl $*" >>"$STAND_INS/calls"
if [ -e "$STAND_INS/journalctl-fails" ]; then cat "$STAND_INS/journalctl-fails" >&2; exit 1; fi
case " $* " in
  *" --follow "*) exec tail -n +1 -f "$STAND_INS/journal" ;;
  *) cat "$STAND_INS/journal" ;;
esac
`;

const OPENCLAW = `#!/bin/sh
echo "openclaw $*" >>"$STAND_INS/calls"
name=$(printf '%s' "$*" | tr ' ' _)
if [ ! -e "$STAND_INS/openclaw/$name" ]; then echo "unknown: $*" >&2; exit 1; fi
code=$(cat "$STAND_INS/openclaw/$name.code")
if [ "$code" = 0 ]; then cat "$STAND_INS/openclaw/$name"; else cat "$STAND_INS/openclaw/$name" >&2; fi
exit "$code"
`;

export async function runToEnd(
  program: string,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Ran> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    ...{ args: [...words], env: { ...env }, clearEnv: true, stdin: "null" },
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

export interface GatewayDouble extends AsyncDisposable {
  readonly port: number;
  /** What it answers to a path, before its usual answer. */
  readonly answers: Map<string, () => Response | Promise<Response>>;
  readonly seen: { readonly path: string; readonly body: string; readonly auth: string }[];
  /** The token it runs with. */
  token: string;
}

/** As the real gateway answers on HTTP and at the beginning of its WebSocket. */
export function startGateway(port = 0): GatewayDouble {
  const answers: GatewayDouble["answers"] = new Map();
  const seen: GatewayDouble["seen"][number][] = [];
  const state = { token: GATEWAY_TOKEN };
  const server = Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, async (request) => {
    const path = new URL(request.url).pathname;
    const auth = request.headers.get("authorization") ?? "";
    if (request.headers.get("upgrade") === "websocket") return socket(request, state);
    seen.push({ path, body: await request.text(), auth });
    const answer = answers.get(path);
    return answer === undefined ? usual(path, request.method, auth) : await answer();
  });
  return {
    ...{ port: server.addr.port, answers, seen },
    get token() {
      return state.token;
    },
    set token(token) {
      state.token = token;
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function usual(path: string, method: string, auth: string): Response {
  switch (path) {
    case "/healthz":
      return Response.json({ ok: true, status: "live" });
    case "/startupz":
      return Response.json({ ok: true, status: "started", version: "2026.9.6", uptimeMs: 1 });
    case "/readyz":
      return Response.json({ ready: true, failing: [], uptimeMs: 1 });
    case "/hooks/wake":
      if (method !== "POST") return new Response("no", { status: 405 });
      return auth === `Bearer ${HOOKS_TOKEN}`
        ? Response.json({ ok: true, mode: "now", eventOutcome: "queued" })
        : new Response("Unauthorized", { status: 401 });
    default:
      return new Response("<html>", { headers: { "content-type": "text/html" } });
  }
}

function socket(request: Request, state: { readonly token: string }): Response {
  const { socket, response } = Deno.upgradeWebSocket(request);
  const send = (value: unknown): void => socket.send(JSON.stringify(value));
  const refuse = (code: string, message: string): void => {
    send({ type: "res", id: "1", ok: false, error: { code: "X", message, details: { code } } });
    socket.close(1008, message);
  };
  socket.onopen = () =>
    send({ type: "event", event: "connect.challenge", payload: { nonce: "n", ts: 1 } });
  socket.onmessage = ({ data }) => {
    const { params } = JSON.parse(data);
    const token = params.auth?.token;
    if (token === undefined) return refuse("DEVICE_IDENTITY_REQUIRED", "device identity required");
    if (token !== state.token) {
      return refuse("AUTH_TOKEN_MISMATCH", "unauthorized: gateway token mismatch");
    }
    const server = { version: "2026.9.6", connId: "c" };
    send({ type: "res", id: "1", ok: true, payload: { type: "hello-ok", protocol: 4, server } });
  };
  return response;
}
