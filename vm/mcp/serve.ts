// SPDX-License-Identifier: GPL-2.0-or-later
/** One client over two streams, from its greeting until it is gone. @module */

import { serveStdio } from "@modelcontextprotocol/server/stdio";
import type { Layout } from "../remote/files/layout.ts";
import { createServer } from "./server.ts";
import { createTransport, type Ends } from "./transport.ts";

/** Resolves when the client is gone, and what was in a call has been cancelled. */
export async function serveClient(
  layout: Layout,
  ends: Ends,
  report: (text: string) => void,
): Promise<void> {
  const gone = new AbortController();
  const closed = Promise.withResolvers<void>();
  const transport = createTransport(ends);
  serveStdio(() => createServer(layout, gone.signal), {
    transport,
    onerror: (error) => report(error.message),
  });
  const before = transport.onclose;
  transport.onclose = () => {
    gone.abort(); // each call tells dom0, or takes its request back, before this returns
    before?.();
    closed.resolve();
  };
  await closed.promise;
}
