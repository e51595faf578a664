// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A chromium that nobody watches while it loads a page. What drives a browser in tests follows each of
 * its requests, which takes half of a processor here; this opens a tab at an address, as a click in
 * the menu does, and asks the page afterwards how it was.
 *
 * @module
 */

export interface BareChromium extends AsyncDisposable {
  /**
   * A new tab at the address, in a browser that has nothing of it but the cookie ("" for none), and
   * then at each of the links. @returns what the expression is on each page, when that is loaded and it is not null
   */
  visit(visit: Visit): Promise<readonly unknown[]>;
}

export interface Visit {
  readonly address: string;
  readonly cookie: string;
  readonly links: readonly string[];
  readonly expression: string;
}

type Params = Readonly<Record<string, unknown>>;
type Send = (method: string, params?: Params, sessionId?: unknown) => Promise<Params>;

/** A page is up by then as a rule, and the browser at rest. */
const REST_MS = 500;
const MOST_LOOKS = 20;

export async function startBareChromium(program: string): Promise<BareChromium> {
  const folder = await Deno.makeTempDir({ prefix: "bare-chromium-" });
  const child = new Deno.Command(program, {
    args: [
      ...["--headless", "--no-sandbox", "--remote-debugging-port=0", "--window-size=1366,768"],
      ...["--no-first-run", "--disable-background-networking", `--user-data-dir=${folder}`],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const { send, close } = await connect(await portOf(folder));
  return {
    async visit({ address, cookie, links, expression }) {
      const { browserContextId } = await send("Target.createBrowserContext");
      const [name, value] = cookie.split("=");
      const cookies = cookie === "" ? [] : [{ name, value, url: address }];
      await send("Storage.setCookies", { browserContextId, cookies });
      const { targetId } = await send("Target.createTarget", { url: address, browserContextId });
      await rest();
      const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
      const evaluate = async (expression: string): Promise<unknown> => {
        const of = { expression, returnByValue: true };
        const { result } = await send("Runtime.evaluate", of, sessionId);
        return (result as Params)["value"];
      };
      const see = async (path: string): Promise<unknown> => {
        for (let look = 0; look < MOST_LOOKS; look++) {
          // Between two pages there is nothing to ask.
          const seen = await evaluate(ifLoaded(path, expression)).catch(() => null);
          if (seen !== null) return seen;
          await rest();
        }
        throw new Error(`${path} is not loaded`);
      };
      const seen = [await see(new URL(address).pathname)];
      for (const link of links) {
        await evaluate(`location.assign(${JSON.stringify(link)})`);
        await rest();
        seen.push(await see(link));
      }
      await send("Target.disposeBrowserContext", { browserContextId });
      await rest();
      return seen;
    },
    async [Symbol.asyncDispose]() {
      await send("Browser.close").catch(() => {});
      close();
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function ifLoaded(path: string, expression: string): string {
  return `location.pathname === ${JSON.stringify(path)} &&
    performance.getEntriesByType("navigation")[0]?.loadEventEnd > 0 ? (${expression}) : null`;
}

function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, REST_MS));
}

/** The browser writes where it listens. @returns the address of its socket */
async function portOf(folder: string): Promise<string> {
  for (;;) {
    const text = await Deno.readTextFile(`${folder}/DevToolsActivePort`).catch(() => "");
    const [port, path] = text.split("\n");
    if (path !== undefined) return `ws://127.0.0.1:${port}${path}`;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Chrome DevTools Protocol: requests and answers with numbers; what comes unasked is not looked at. */
async function connect(address: string): Promise<{ readonly send: Send; close(): void }> {
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const waiting = new Map<number, PromiseWithResolvers<Params>>();
  let last = 0;
  socket.onmessage = ({ data }) => {
    const { id, result, error } = JSON.parse(data);
    if (error === undefined) waiting.get(id)?.resolve(result);
    else waiting.get(id)?.reject(new Error(error.message));
    waiting.delete(id);
  };
  return {
    send(method, params, sessionId) {
      const answer = Promise.withResolvers<Params>();
      waiting.set(++last, answer);
      socket.send(JSON.stringify({ id: last, method, params, sessionId }));
      return answer.promise;
    },
    close: () => socket.close(),
  };
}
