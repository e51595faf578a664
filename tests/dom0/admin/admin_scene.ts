// SPDX-License-Identifier: GPL-2.0-or-later
/** The web admin over a dom0 in memory, and a client that is not a browser but can speak as one. @module */

import { assertEquals } from "@std/assert";
import { LIMITS, type ServerLimits } from "../../../dom0/admin/server/limits.ts";
import { type RunningAdmin, startAdmin } from "../../../dom0/admin/start_admin.ts";
import { makeTicket } from "../../../dom0/admin/server/tickets.ts";
import { realClock } from "../../../shared/io/clock.ts";
import { createFakeDom0, type FakeDom0, NOW_MS } from "./fake_channel.ts";

export interface Login {
  readonly cookie: string;
  readonly formToken: string;
}

export interface AdminScene extends AsyncDisposable {
  readonly dom0: FakeDom0;
  readonly admin: RunningAdmin;
  readonly origin: string;
  readonly host: string;
  readonly warned: string[];
  readonly runFolder: string;
  /** What the clock of the server says. */
  dateMs: number;
  /** What the server does again and again: once, now. */
  tick(): void;
  login(): Promise<Login>;
  /** As the page of this server in a browser. */
  get(path: string, login?: Login, headers?: Record<string, string>): Promise<Got>;
  post(
    path: string,
    login: Login | undefined,
    fields: Record<string, string>,
    headers?: Record<string, string>,
  ): Promise<Got>;
}

export interface Got {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export const SAME_ORIGIN = {
  "sec-fetch-site": "same-origin",
  "sec-fetch-mode": "cors",
  "sec-fetch-dest": "empty",
};

const VISIT = { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };

export async function startScene(limits: Partial<ServerLimits> = {}): Promise<AdminScene> {
  const runFolder = await Deno.makeTempDir({ prefix: "web-admin-" });
  const dom0 = createFakeDom0();
  const warned: string[] = [];
  const turns = new Set<() => void>();
  const times = { dateMs: NOW_MS };
  const admin = await startAdmin({
    ...{ port: 0, channel: dom0.channel, runFolder, limits: { ...LIMITS, ...limits }, momentMs: 0 },
    clock: {
      ...realClock,
      dateMs: () => times.dateMs,
      every(_ms, run) {
        turns.add(run);
        return () => void turns.delete(run);
      },
    },
    warn: (line) => warned.push(line),
  });
  const host = `127.0.0.1:${admin.port}`;
  const origin = `http://${host}`;
  const ask = async (path: string, init: RequestInit): Promise<Got> => {
    const response = await fetch(`${origin}${path}`, { ...init, redirect: "manual" });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const scene: AdminScene = {
    ...{ dom0, admin, origin, host, warned, runFolder },
    get dateMs() {
      return times.dateMs;
    },
    set dateMs(value) {
      times.dateMs = value;
    },
    tick: () => turns.forEach((run) => run()),
    async login() {
      const ticket = await makeTicket(runFolder);
      const made = new Date(times.dateMs);
      for await (const { name } of Deno.readDir(runFolder)) {
        await Deno.utime(`${runFolder}/${name}`, made, made);
      }
      const { status, headers } = await scene.post("/login", undefined, { ticket });
      assertEquals(status, 204);
      const cookie = headers.get("set-cookie")?.split(";")[0] ?? "";
      const { text } = await scene.get("/sessions", { cookie, formToken: "" });
      return {
        cookie,
        formToken: /name="form-token" value="([0-9a-f]{64})"/.exec(text)?.[1] ?? "",
      };
    },
    get: (path, login, headers = {}) =>
      ask(path, { headers: { ...SAME_ORIGIN, ...VISIT, ...cookieOf(login), ...headers } }),
    post: (path, login, fields, headers = {}) =>
      ask(path, {
        method: "POST",
        headers: { ...SAME_ORIGIN, origin, ...cookieOf(login), ...headers },
        body: new URLSearchParams({
          ...login === undefined ? {} : { "form-token": login.formToken },
          ...fields,
        }),
      }),
    async [Symbol.asyncDispose]() {
      await admin.close();
      await Deno.remove(runFolder, { recursive: true });
    },
  };
  return scene;
}

/** What the page says that a change leads to. */
export async function after(
  scene: Pick<AdminScene, "get" | "post">,
  login: Login,
  path: string,
  fields: Record<string, string>,
): Promise<string> {
  const { status, headers } = await scene.post(path, login, fields);
  assertEquals(status, 303, path);
  return (await scene.get(headers.get("location") ?? "", login)).text;
}

function cookieOf(login: Login | undefined): Record<string, string> {
  return login === undefined ? {} : { cookie: login.cookie };
}
