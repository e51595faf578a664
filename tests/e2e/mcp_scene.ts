// SPDX-License-Identifier: GPL-2.0-or-later
/** The official client of MCP, over a real "qvm-remote mcp" in a VM of the simulated Qubes. @module */

import { Client } from "@modelcontextprotocol/client";
import { createTransport } from "../../vm/mcp/transport.ts";
import type { Installed } from "./installed.ts";

export interface Answer {
  readonly isError: boolean;
  readonly text: string;
  readonly said: Readonly<Record<string, unknown>>;
}

export interface Agent extends AsyncDisposable {
  readonly client: Client;
  readonly child: Deno.ChildProcess;
  call(name: string, args?: Record<string, unknown>, options?: CallOptions): Promise<Answer>;
  names(): Promise<readonly string[]>;
  /** Closes its input. @returns the exit code, and what it said on standard error */
  leave(): Promise<{ code: number; stderr: string }>;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (message: string) => void;
}

/** Starts the server as a client does. */
export function startServer({ world }: Installed, vm: string): Deno.ChildProcess {
  return world.runInVm(vm, [`${world.vmBin}/qvm-remote`, "mcp"], {
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
}

export async function connectAgent(qubes: Installed, vm: string): Promise<Agent> {
  const child = startServer(qubes, vm);
  const writer = child.stdin.getWriter();
  const transport = createTransport({
    input: child.stdout,
    output: (bytes) => writer.write(bytes),
  });
  const stderr = new Response(child.stderr).text();
  const client = new Client({ name: "test\u202e agent", version: "2.1" });
  await client.connect(transport);
  return {
    client,
    child,
    async call(name, args = {}, { signal, onProgress } = {}) {
      const { content, structuredContent, isError } = await client.callTool(
        { name, arguments: args },
        {
          ...signal === undefined ? {} : { signal },
          ...onProgress === undefined
            ? {}
            : { onprogress: ({ message }) => onProgress(message ?? "") },
        },
      );
      const [block] = content;
      const text = block?.type === "text" ? block.text : "";
      const said = structuredContent ?? JSON.parse(text.slice(text.lastIndexOf("\n") + 1));
      return { isError: isError === true, text, said: said as Record<string, unknown> };
    },
    names: async () => (await client.listTools()).tools.map(({ name }) => name),
    async leave() {
      await writer.close();
      return { code: (await child.status).code, stderr: await stderr };
    },
    async [Symbol.asyncDispose]() {
      await writer.close().catch(() => {});
      await child.status;
      await stderr;
    },
  };
}
