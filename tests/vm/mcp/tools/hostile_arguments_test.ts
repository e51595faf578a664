// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A hostile agent calls every tool: what breaks a schema reaches nobody, and what fits it becomes a
 * request that means what was said, for an operation that the tool is for.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../../../shared/cli/program.ts";
import { type Command, encodeCommand, parseCommand } from "../../../../shared/protocol/command.ts";
import { makeRequestId } from "../../../../shared/protocol/request_id.ts";
import { ArgumentError, type Parameter, parseArguments } from "../../../../vm/mcp/arguments.ts";
import { createDesk } from "../../../../vm/mcp/desk.ts";
import type { Jobs } from "../../../../vm/mcp/jobs.ts";
import type { Tool } from "../../../../vm/mcp/tool.ts";
import { TOOLS } from "../../../../vm/mcp/tools/table.ts";
import { layoutOf } from "../../../../vm/remote/files/layout.ts";
import { plain } from "../../../shared/protocol/vectors.ts";
import { createPrng, type Prng } from "../../../fuzz/prng.ts";

const SEED = 20261128;
const ROUNDS = 400;
const ID = makeRequestId(1_790_000_000_000, 7, 1);

const HOSTILE = [
  ...[
    "",
    "work",
    "-rf",
    "--help",
    "../../etc/shadow",
    "/proc/self/environ",
    "a\nb",
    "$(id)",
    "`id`",
  ],
  ...[
    "'; id #",
    "*",
    "a=b",
    "=",
    "@tag:x",
    "dom0",
    "\u202e",
    "\x1b[2J",
    "x".repeat(500),
    "\u{1f600}",
  ],
];

function fitting(prng: Prng, parameter: Parameter): unknown {
  switch (parameter.type) {
    case "string": {
      if (parameter.enum !== undefined) return prng.pick(parameter.enum);
      const text = prng.pick([...HOSTILE, ID]);
      return text.slice(0, parameter.maxLength ?? Infinity);
    }
    case "integer":
      return prng.pick([parameter.minimum, parameter.maximum]);
    case "boolean":
      return prng.oneIn(2);
    case "object":
      return { [prng.pick(HOSTILE)]: prng.pick([...HOSTILE, 7, true]), vm: prng.pick(HOSTILE) };
    case "array":
      return [{ operation: prng.pick([...HOSTILE, "vm.start"]), vm: prng.pick(HOSTILE) }];
  }
}

const bare = (name: string): string => name.replace("?", "");

function fittingArguments(prng: Prng, { parameters }: Tool): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(parameters)
      .filter(([name]) => !name.endsWith("?") || prng.oneIn(2))
      .map(([name, parameter]) => [bare(name), fitting(prng, parameter)]),
  );
}

/** Of no tool's parameter, whatever its type. */
const BROKEN: readonly unknown[] = [
  ...[null, undefined, [], [[[]]], [null], Infinity, -1.5, 2 ** 60, "\0", "\ud800"],
  ...["x".repeat(100_000), { toString: 1 }, { constructor: [] }],
];

/** Runs a call as the server does. @returns the request that it became; null if it was none */
async function requestOf(tool: Tool, untrusted: unknown): Promise<Command | null> {
  let sent: Command | null = null;
  const said = () => Promise.resolve({ status: "done" } as const);
  const jobs: Jobs = {
    submit({ command }) {
      sent = command;
      return said();
    },
    ...{ wait: said, look: said, cancel: said },
  };
  const access = {
    read: () => Promise.resolve(new Map()),
    last: () => new Map(),
    isOld: () => false,
  };
  const signal = new AbortController().signal;
  const desk = createDesk({ layout: layoutOf("/nowhere"), jobs, access, why: "test", signal });
  try {
    await tool.call(parseArguments(tool.parameters, untrusted), desk);
  } catch (error) {
    assert(error instanceof ArgumentError || error instanceof UserError, `${tool.name}: ${error}`);
    assertEquals(sent, null, tool.name);
  }
  return sent;
}

for (const tool of TOOLS.values()) {
  Deno.test(`${tool.name}: what breaks its schema is refused by name, and reaches nobody`, () => {
    const prng = createPrng(SEED);
    for (const untrusted of [null, undefined, [], "x", 7, true]) {
      assertThrows(() => parseArguments(tool.parameters, untrusted), ArgumentError);
    }
    for (const name of ["more", "__proto__", "constructor", "toString", ""]) {
      const more = fittingArguments(prng, tool);
      Object.defineProperty(more, name, { value: 1, enumerable: true }); // as JSON.parse() does
      assertThrows(() => parseArguments(tool.parameters, more), ArgumentError, "no parameter");
    }
    for (const [name, parameter] of Object.entries(tool.parameters)) {
      for (const value of BROKEN) {
        const broken = { ...fittingArguments(prng, tool), [bare(name)]: value };
        // Names with plain values: an object is one, whatever its names.
        if (parameter.type === "object" && isPlainObject(value)) continue;
        assertThrows(() => parseArguments(tool.parameters, broken), ArgumentError);
      }
      if (name.endsWith("?")) continue;
      const { [name]: _left, ...without } = fittingArguments(prng, tool);
      assertThrows(() => parseArguments(tool.parameters, without), ArgumentError, "is missing");
    }
  });

  Deno.test(`${tool.name}: what fits its schema is a request for what it is for, or none`, async () => {
    const prng = createPrng(SEED);
    for (let round = 0; round < ROUNDS; round++) {
      const untrusted = fittingArguments(prng, tool);
      const command = await requestOf(tool, untrusted);
      if (command === null) continue;
      const read = parseCommand(command.mode, encodeCommand(command));
      assertEquals(plain(read), plain(command), `${tool.name} ${JSON.stringify(untrusted)}`);
      const operation = command.mode === "op" ? command.name : command.mode;
      if (tool.operations === "any") continue;
      const isOwn = operation === "script" || tool.operations.includes(operation);
      assert(isOwn, `${tool.name} became ${operation}`);
    }
  });
}

function isPlainObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).every((part) => typeof part === "number" || typeof part === "string");
}
