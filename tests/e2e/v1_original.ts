// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Imitations of both ends of the Python original, file by file as reference section 1 describes
 * them: the client writes without rename and takes an ".exit" that exists for an answer; the
 * daemon makes ".exit" before it writes into it, and ".meta" last.
 *
 * @module
 */

import { createHmac } from "node:crypto";

/** What the original's client ends with. */
export interface V1Answer {
  readonly exit: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly meta: string | null;
}

export type V1File = "body" | "auth" | "cmd";

export interface Submission {
  readonly id?: string;
  readonly token?: string;
  /** In which order the files are made. */
  readonly order?: readonly V1File[];
  readonly pauseMs?: number;
  /** The body comes by rename, as it must if its token is there before it. */
  readonly byRename?: boolean;
  /** The body is written in two parts, so long apart. */
  readonly splitMs?: number;
}

export interface OriginalClient {
  submit(script: string, submission?: Submission): Promise<string>;
  /** Waits for ".exit" and reads the answer in that moment, as the original does. */
  answer(id: string): Promise<V1Answer>;
  /** Moves it into the history, as the original does in the end. */
  archive(id: string): Promise<void>;
  token(id: string): string;
}

const POLL_MS = 10;
const WAIT_MS = 20_000;
let made = 0;

/** An id of protocol 1: local time, of a zone so many hours ahead of UTC. */
export function v1Id(zoneHours = 0): string {
  const local = new Date(Date.now() + zoneHours * 3600_000).toISOString();
  const stamp = local.replace(/[-:]/g, "").slice(0, 15).replace("T", "-");
  return `${stamp}-${Deno.pid}-${(++made).toString(16).padStart(8, "0")}`;
}

export function v1Token(keyText: string, id: string): string {
  return createHmac("sha256", keyText).update(id).digest("hex");
}

/** @param base the folder ~/.qvm-remote */
export function originalClient(base: string, keyText: string): OriginalClient {
  const pending = `${base}/queue/pending`;
  const results = `${base}/queue/results`;
  const token = (id: string): string => v1Token(keyText, id);
  return {
    token,
    async submit(script, submission = {}) {
      const { id = v1Id(), order = ["body", "auth", "cmd"], pauseMs = 0, splitMs = 0 } = submission;
      const write: Readonly<Record<V1File, () => Promise<void>>> = {
        async body() {
          const half = splitMs === 0 ? script.length : Math.floor(script.length / 2);
          const path = submission.byRename ? `${base}/queue/.${id}` : `${pending}/${id}`;
          using file = await Deno.open(path, { create: true, write: true });
          await file.write(new TextEncoder().encode(script.slice(0, half)));
          if (splitMs > 0) await pause(splitMs);
          await file.write(new TextEncoder().encode(script.slice(half)));
          if (submission.byRename) await Deno.rename(path, `${pending}/${id}`);
        },
        auth: () => Deno.writeTextFile(`${pending}/${id}.auth`, submission.token ?? token(id)),
        cmd: () => Deno.writeTextFile(`${pending}/${id}.cmd`, script),
      };
      for (const file of order) {
        await write[file]();
        if (pauseMs > 0) await pause(pauseMs);
      }
      return id;
    },
    async answer(id) {
      for (let waitedMs = 0; waitedMs < WAIT_MS; waitedMs += POLL_MS) {
        const exit = await readOrNull(`${results}/${id}.exit`);
        if (exit === null) {
          await pause(POLL_MS);
          continue;
        }
        const [stdout, stderr, meta] = await Promise.all(
          ["out", "err", "meta"].map((part) => readOrNull(`${results}/${id}.${part}`)),
        );
        return { exit, stdout: stdout ?? "", stderr: stderr ?? "", meta: meta ?? null };
      }
      throw new Error(`no answer for ${id}`);
    },
    async archive(id) {
      await Deno.rename(`${pending}/${id}.cmd`, `${results}/${id}.command`).catch(() => {});
      const day = new Date().toISOString().slice(0, 10);
      const folder = `${base}/history/${day}/${id}`;
      await Deno.mkdir(folder, { recursive: true });
      for (const part of ["out", "err", "exit", "meta", "command"]) {
        await Deno.rename(`${results}/${id}.${part}`, `${folder}/${part}`).catch(() => {});
      }
    },
  };
}

export interface OriginalDaemon extends AsyncDisposable {
  /** What it did: "RUN id", "AUTH-FAIL id", "REJECT id". */
  readonly log: readonly string[];
}

export interface OriginalDaemonOptions {
  readonly base: string;
  readonly keyText: string;
  /** How long it takes between the files of an answer. */
  readonly lateMs: number;
}

/** Serves one queue as the original's daemon did through its calls of qvm-run. */
export function originalDaemon(options: OriginalDaemonOptions): OriginalDaemon {
  const pending = `${options.base}/queue/pending`;
  const log: string[] = [];
  let stopped = false;
  const serving = (async () => {
    while (!stopped) {
      await Deno.mkdir(pending, { recursive: true });
      for await (const { name } of Deno.readDir(pending)) {
        if (!/\.(auth|cmd)$/.test(name)) log.push(`${await serveOne(options, name)} ${name}`);
      }
      await pause(50);
    }
  })();
  return {
    log,
    async [Symbol.asyncDispose]() {
      stopped = true;
      await serving;
    },
  };
}

async function serveOne(
  { base, keyText, lateMs }: OriginalDaemonOptions,
  id: string,
): Promise<"REJECT" | "AUTH-FAIL" | "RUN"> {
  const [pending, running, results] = ["pending", "running", "results"].map((folder) =>
    `${base}/queue/${folder}/${id}`
  );
  const body = await Deno.readFile(pending ?? "");
  // deno-lint-ignore no-control-regex
  const isBinary = /[\x00-\x08\x0b\x0c\x0e-\x1f]/.test(new TextDecoder("latin1").decode(body));
  if (body.length === 0 || body.length > 1048576 || isBinary) {
    await Deno.remove(pending ?? "");
    return "REJECT";
  }
  const token = (await readOrNull(`${pending}.auth`) ?? "").trim();
  if (token !== v1Token(keyText, id)) {
    await Deno.remove(pending ?? "");
    await Deno.remove(`${pending}.auth`).catch(() => {});
    return "AUTH-FAIL";
  }
  await Deno.remove(`${pending}.auth`);
  await Deno.rename(pending ?? "", running ?? "");
  const startMs = Date.now();
  const { code, signal, stdout, stderr } = await new Deno.Command("/bin/bash", {
    args: [running ?? ""],
    stdin: "null",
  }).output();
  const exit = signal === null ? code : 128 - code; // Python: -9 for SIGKILL
  await Deno.writeFile(`${results}.out`, stdout);
  await Deno.writeFile(`${results}.err`, stderr);
  await Deno.writeFile(`${results}.exit`, new Uint8Array(0));
  await pause(lateMs);
  await Deno.writeTextFile(`${results}.exit`, String(exit));
  await pause(lateMs);
  await Deno.writeTextFile(
    `${results}.meta`,
    `id=${id}\nstarted=${new Date(startMs).toISOString().slice(0, 19)}\n` +
      `duration_ms=${Date.now() - startMs}\nexit_code=${exit}\n`,
  );
  await Deno.remove(running ?? "");
  return "RUN";
}

export async function readOrNull(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
