// SPDX-License-Identifier: GPL-2.0-or-later
/** The MCP server of one client: what it answers to each method. @module */

import {
  CLIENT_INFO_META_KEY,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { UserError } from "../../shared/cli/program.ts";
import { VERSION } from "../../shared/io/version.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { Layout } from "../remote/files/layout.ts";
import { type AccessBook, createAccessBook } from "./access_book.ts";
import { ArgumentError, parseArguments } from "./arguments.ts";
import { NoAnswerError } from "../remote/client/ask_dom0.ts";
import { claimOf, createDesk } from "./desk.ts";
import {
  INSTRUCTIONS,
  POLICY_URI,
  policyText,
  PROMPTS,
  promptText,
  RECIPES,
  RECIPES_URI,
  RESOURCES,
} from "./guides.ts";
import { createJobs, type Jobs } from "./jobs.ts";
import { reasonText } from "./output.ts";
import { startProgress } from "./progress.ts";
import { type Said, toolResult } from "./said.ts";
import { describeTool, TOOLS, toolsFor } from "./tools/table.ts";
import { createTurns, type Turns } from "./turns.ts";

/** The protocol of today and the two revisions before it. */
export const PROTOCOL_VERSIONS = ["2026-07-28", "2025-11-25", "2025-06-18"];

interface Parts {
  readonly layout: Layout;
  readonly server: Server;
  readonly jobs: Jobs;
  readonly access: AccessBook;
  readonly turns: Turns;
  /** Aborted when the client is gone. */
  readonly gone: AbortSignal;
}

/** @param gone aborted when the client is gone: what is in a call then is cancelled in dom0 */
export function createServer(layout: Layout, gone: AbortSignal): Server {
  const server = new Server({ name: "qubes-claw", title: "Qubes OS", version: VERSION }, {
    capabilities: {
      tools: { listChanged: true },
      resources: {},
      prompts: {},
    },
    instructions: INSTRUCTIONS,
    supportedProtocolVersions: PROTOCOL_VERSIONS,
  });
  const access = createAccessBook(layout, () => {
    server.sendToolListChanged().catch(() => {}); // a client that is gone needs none
  });
  const parts = { layout, server, jobs: createJobs(layout), access, turns: createTurns(), gone };
  server.setRequestHandler("tools/list", async () => ({
    tools: toolsFor(await accessOrNone(access)).map((tool) => mutable(describeTool(tool))),
  }));
  server.setRequestHandler("tools/call", async ({ params }, context) => {
    return toolResult(await callTool(parts, params.name, params.arguments ?? {}, context));
  });
  serveGuides(parts);
  return server;
}

/** The library's types want lists and objects that it could change; it changes none. */
function mutable(described: ReturnType<typeof describeTool>) {
  return structuredClone(described) as never;
}

/** null: dom0 is not there, or there is no key; access_get says which. */
async function accessOrNone(access: AccessBook) {
  try {
    return await access.read();
  } catch (error) {
    if (error instanceof NoAnswerError || error instanceof UserError) return access.last();
    throw error;
  }
}

async function callTool(
  parts: Parts,
  name: string,
  untrusted: Record<string, unknown>,
  context: ServerContext,
): Promise<Said> {
  const { layout, jobs, access, turns, gone } = parts;
  const tool = TOOLS.get(name);
  if (tool === undefined) {
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${printable(name)}`);
  }
  const signal = AbortSignal.any([context.mcpReq.signal, gone]);
  const { _meta: meta, notify } = context.mcpReq;
  const end = startProgress(meta?.progressToken, tool.title, notify);
  try {
    const args = parseArguments(tool.parameters, untrusted);
    const why = claimOf(clientOf(parts, context), args.has("why") ? args.text("why") : "");
    const desk = createDesk({ layout, jobs, access, why, signal });
    const said = await turns.take(signal, () => tool.call(args, desk));
    const isOld = access.isOld(said.status === "refused");
    if (access.last() !== null && isOld) void accessOrNone(access);
    return said;
  } catch (error) {
    return saidOfError(error);
  } finally {
    end();
  }
}

function saidOfError(error: unknown): Said {
  if (error instanceof ArgumentError) return { status: "invalid", reason: error.message };
  if (error instanceof NoAnswerError) {
    return { status: "not_connected", reason: reasonText(error.message) };
  }
  if (!(error instanceof UserError)) throw error;
  return { status: "failed", reason: reasonText([error.message, ...error.hints].join("\n")) };
}

/** What it calls itself: in each request of today's protocol, in the greeting of those before it. */
function clientOf({ server }: Parts, { mcpReq: { envelope } }: ServerContext) {
  const told = envelope as Readonly<Record<string, unknown>> | undefined;
  return told?.[CLIENT_INFO_META_KEY] ?? server.getClientVersion() ?? {};
}

function serveGuides({ server, access }: Parts): void {
  server.setRequestHandler("resources/list", () => ({ resources: [...RESOURCES] }));
  server.setRequestHandler("resources/templates/list", () => ({ resourceTemplates: [] }));
  server.setRequestHandler("resources/read", async ({ params: { uri } }) => {
    const contents = (mimeType: string, text: string) => ({ contents: [{ uri, mimeType, text }] });
    if (uri === RECIPES_URI) return contents("text/markdown", RECIPES);
    if (uri === POLICY_URI) return contents("text/plain", policyText(await access.read()));
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, `no resource ${printable(uri)}`);
  });
  server.setRequestHandler("prompts/list", () => ({ prompts: PROMPTS }));
  server.setRequestHandler("prompts/get", ({ params }) => {
    const text = promptText(params.name, params.arguments ?? {});
    if (text === null) {
      const known = PROMPTS.map(({ name, arguments: wanted }) => `${name}(${wanted[0]?.name})`);
      throw new ProtocolError(
        ProtocolErrorCode.InvalidParams,
        `no such prompt, or an argument is missing; there are: ${known.join(", ")}`,
      );
    }
    return { messages: [{ role: "user" as const, content: { type: "text" as const, text } }] };
  });
}
