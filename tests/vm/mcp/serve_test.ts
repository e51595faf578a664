// SPDX-License-Identifier: GPL-2.0-or-later
/** A whole server in this process, in a VM whose dom0 never connects: how it holds to MCP. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Client } from "@modelcontextprotocol/client";
import { utf8 } from "../../../shared/protocol/bytes.ts";
import { serveClient } from "../../../vm/mcp/serve.ts";
import { createTransport, MAX_LINE_BYTES } from "../../../vm/mcp/transport.ts";
import { type Vm, vmTest } from "../remote/fixture.ts";

interface Line {
  readonly write: (text: string) => Promise<void>;
  readonly next: () => Promise<Record<string, unknown>>;
  /** Closes its input. */
  readonly end: () => Promise<void>;
  readonly ended: Promise<void>;
}

function pipes(vm: Vm) {
  const input = new TransformStream<Uint8Array, Uint8Array>();
  const output = new TransformStream<Uint8Array, Uint8Array>();
  const [toServer, toClient] = [input.writable.getWriter(), output.writable.getWriter()];
  const ended = serveClient(vm.layout, {
    input: input.readable,
    output: (bytes) => toClient.write(bytes),
  }, () => {});
  return { toServer, fromServer: output.readable, ended };
}

function open(vm: Vm): Line {
  const { toServer, fromServer, ended } = pipes(vm);
  const lines = linesOf(fromServer);
  return {
    write: (text) => toServer.write(utf8(text)),
    next: async () => JSON.parse((await lines.next()).value ?? "null"),
    end: () => toServer.close(),
    ended,
  };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

async function greet(line: Line, protocolVersion: string): Promise<Record<string, unknown>> {
  const params = { protocolVersion, capabilities: {}, clientInfo: { name: "raw", version: "1" } };
  await line.write(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params }) + "\n");
  const { result } = await line.next();
  await line.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
  return result as Record<string, unknown>;
}

vmTest("it speaks the protocol of today and the two revisions before", async (vm) => {
  for (const version of ["2025-06-18", "2025-11-25"]) {
    const line = open(vm);
    const greeting = await greet(line, version);
    assertEquals(greeting["protocolVersion"], version);
    await line.end();
    await line.ended;
  }
  const old = open(vm);
  assertEquals((await greet(old, "2024-11-05"))["protocolVersion"], "2025-11-25");
  await old.end();
  const today = open(vm);
  const meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": { name: "raw", version: "1" },
  };
  const ask = async (method: string, params: object = {}) => {
    const message = { jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: meta } };
    await today.write(JSON.stringify(message) + "\n");
    return (await today.next())["result"] as Record<string, unknown>;
  };
  assertEquals((await ask("server/discover"))["supportedVersions"], ["2026-07-28"]);
  const call = { name: "job_get", arguments: { id: "x" } };
  assertEquals((await ask("tools/call", call))["isError"], true);
  await today.end();
  await today.ended;
});

vmTest(
  "what is no message is answered as JSON-RPC says, and the next one is served",
  async (vm) => {
    const line = open(vm);
    await greet(line, "2025-11-25");
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    const cases: readonly (readonly [text: string, code: number, id: unknown])[] = [
      ["{", -32700, null],
      ["\u00ff{}", -32700, null],
      ["[]", -32600, null],
      ['"text"', -32600, null],
      [deep, -32600, null],
      ['{"jsonrpc":"1.0","id":7,"method":"ping"}', -32600, 7],
      ['{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, null],
      ['{"jsonrpc":"2.0","id":8,"method":"no/such"}', -32601, 8],
      ['{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"constructor"}}', -32602, 9],
      ['{"jsonrpc":"2.0","id":10,"method":"tools/call","params":{}}', -32602, 10],
      ["x".repeat(MAX_LINE_BYTES + 1), -32600, null],
    ];
    for (const [text, code, id] of cases) {
      await line.write(text + "\n");
      const answer = await line.next();
      const error = answer["error"] as Record<string, unknown> | undefined;
      assertEquals([error?.["code"], answer["id"] ?? null], [code, id], text.slice(0, 80));
      assert(JSON.stringify(error).length < 2_000, text.slice(0, 80));
    }
    const odd = `{"jsonrpc":"2.0","id":11,"method":"tools/call","params":{"name":"job_get",` +
      `"arguments":{"id":${deep},"__proto__":1}}}\n`;
    await line.write(odd);
    assertEquals(((await line.next())["result"] as Record<string, unknown>)["isError"], true);
    await line.write('\n  \r\n{"jsonrpc":"2.0","id":12,"method":"ping"}\n');
    assertEquals((await line.next())["id"], 12);
    await line.end();
    await line.ended;
  },
);

vmTest("10,000 calls are answered, each with its own answer", async (vm) => {
  const { toServer, fromServer } = pipes(vm);
  const client = new Client({ name: "many", version: "1" });
  await client.connect(createTransport({ input: fromServer, output: (b) => toServer.write(b) }));
  for (let round = 0; round < 100; round++) {
    const answers = await Promise.all(
      Array.from(
        { length: 100 },
        () => client.callTool({ name: "job_get", arguments: { id: "20260101-000000-1-00000000" } }),
      ),
    );
    for (const { isError } of answers) assertEquals(isError, true);
  }
  await toServer.close();
});

vmTest("without dom0 it lists what needs none, and says what is missing", async (vm) => {
  await Deno.remove(vm.layout.key);
  const { toServer, fromServer, ended } = pipes(vm);
  const client = new Client({ name: "early", version: "1" });
  await client.connect(createTransport({ input: fromServer, output: (b) => toServer.write(b) }));
  const { tools } = await client.listTools();
  assertEquals(tools.map(({ name }) => name).slice(0, 2), ["access_get", "job_get"]);
  const { content, isError } = await client.callTool({ name: "access_get", arguments: {} });
  assertEquals(isError, true);
  assertStringIncludes(JSON.stringify(content), "qvm-remote key gen");
  await toServer.close();
  await ended;
});
