// SPDX-License-Identifier: GPL-2.0-or-later
/** The web admin's program over a daemon's world, and browsers that are logged in. @module */

import type { Browser, BrowserContext } from "playwright-core";
import { PORT } from "../../../dom0/admin/run_admin.ts";
import { type Installed, until } from "../../e2e/installed.ts";
import { builtText } from "../../e2e/launcher_text.ts";
import { sourceLauncher } from "../../e2e/program_flags.ts";
import { writeExecutable } from "../../executable.ts";

export const ORIGIN = `http://127.0.0.1:${PORT}`;

export interface WebServer extends AsyncDisposable {
  readonly pid: number;
  newTicket(): Promise<string>;
  /** Of a new session. */
  newCookie(): Promise<string>;
  /** Logged in. */
  newContext(browser: Browser): Promise<BrowserContext>;
}

/** The program as it is installed, with its own permissions and nothing more. */
export async function startWebServer({ world }: Installed): Promise<WebServer> {
  const name = "qubes-global-admin-web";
  const path = `${world.dom0Bin}/${name}`;
  const built = Deno.env.get("QVM_REMOTE_BUILT");
  const text = built === undefined
    ? sourceLauncher(name, `dom0/${name}.ts`)
    : builtText(`${built}/dom0/${name}`, `${world.folder}/lib`);
  writeExecutable(path, text);
  const run = (...args: string[]): Deno.Command =>
    new Deno.Command(path, {
      args,
      clearEnv: true,
      env: world.dom0Env(),
      stdin: "null",
      stderr: "inherit",
      stdout: args.length === 0 ? "inherit" : "piped",
    });
  const child = run().spawn();
  await until(
    "it answers",
    () =>
      fetch(`${ORIGIN}/assets/icon.svg`, { headers: { "sec-fetch-site": "same-origin" } }).then(
        async ({ ok, body }) => (await body?.cancel(), ok),
        () => false,
      ),
  );
  const newTicket = async (): Promise<string> => {
    const { stdout } = await run("ticket").output();
    return new TextDecoder().decode(stdout).trim();
  };
  const newCookie = async (): Promise<string> => {
    const { headers } = await fetch(`${ORIGIN}/login`, {
      method: "POST",
      headers: { "sec-fetch-site": "same-origin" },
      body: new URLSearchParams({ ticket: await newTicket() }),
    });
    return headers.get("set-cookie")?.split(";")[0] ?? "";
  };
  return {
    pid: child.pid,
    newTicket,
    newCookie,
    newContext: async (browser) => await contextOf(browser, ORIGIN, await newCookie()),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

export async function contextOf(
  browser: Browser,
  url: string,
  cookie: string,
): Promise<BrowserContext> {
  const context = await browser.newContext({ viewport: { width: 1366, height: 768 } });
  const [name = "", value = ""] = cookie.split("=");
  await context.addCookies([{ name, value, url }]);
  return context;
}
