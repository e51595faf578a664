// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * qvm-remote mcp: an MCP server on standard input and output, through which an agent asks dom0. One
 * process for each client, which ends with its input.
 *
 * @module
 */

import { writeFully } from "../shared/io/files.ts";
import { expectWords, parseWords } from "../shared/cli/options.ts";
import { EXIT_OK, runProgram, writeAll } from "../shared/cli/program.ts";
import { VERSION } from "../shared/io/version.ts";
import { printable } from "../shared/protocol/printable.ts";
import { serveClient } from "./mcp/serve.ts";
import { layoutOf } from "./remote/files/layout.ts";
import { refuseNewerState } from "./remote/files/state_formats.ts";

const PROGRAM = "qvm-remote mcp";
const HELP = `usage: ${PROGRAM}

An MCP server on standard input and output. Clients start it by themselves; see qvm-remote(1).
`;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

async function main(args: readonly string[]): Promise<number> {
  const words = parseWords(args, { help: "flag", version: "flag" }, { h: "help" });
  if (words.has("help")) writeAll(Deno.stdout, HELP);
  else if (words.has("version")) writeAll(Deno.stdout, `qvm-remote ${VERSION}\n`);
  else {
    expectWords(words.rest, 0, 0, PROGRAM);
    await serve();
  }
  return EXIT_OK;
}

async function serve(): Promise<void> {
  const layout = layoutOf(Deno.env.get("HOME"));
  await refuseNewerState(layout);
  const input = Deno.stdin.readable;
  const reader = input.getReader();
  for (const signal of SIGNALS) {
    Deno.addSignalListener(signal, () => void reader.cancel()); // as the end of its input
  }
  const report = (text: string): void =>
    writeAll(Deno.stderr, `${PROGRAM}: ${printable(text, 200)}\n`);
  const output = (bytes: Uint8Array): Promise<void> => writeFully(Deno.stdout, bytes);
  await serveClient(layout, { input: chunksOf(reader), output }, report);
}

async function* chunksOf(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for (let part; !(part = await reader.read()).done;) yield part.value;
}

if (import.meta.main) Deno.exit(await runProgram(PROGRAM, () => main(Deno.args)));
