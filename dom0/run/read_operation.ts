// SPDX-License-Identifier: GPL-2.0-or-later
/** Runs a reading operation for dom0 itself, and gives its value. @module */

import { errorText } from "../../shared/cli/program.ts";
import { runTool } from "../../shared/io/run_tool.ts";
import { type JsonValue, ResultError } from "../operations/operation.ts";
import { recogniseNamed } from "../operations/recognise.ts";
import type { Values } from "../operations/spelling.ts";

/** It could not be learned. */
export class ReadError extends Error {
  override readonly name = "ReadError";
}

/** @throws {ReadError} */
export type ReadOperation = (name: string, values: Values) => Promise<JsonValue>;

/** The tools answer in a second; a person who waits for a preview must not wait for ever. */
const LIMIT_MS = 20_000;

/** Starts Qubes' own tools, found on PATH. */
export const readOperation: ReadOperation = async (name, values) => {
  const pairs = [...values].map(([key, value]) => `${key}=${value}`);
  const { operation, argvs } = recogniseNamed(name, pairs);
  const [program = "", ...args] = argvs[0] ?? [];
  try {
    const { code, stdout } = await runTool([program, ...args], { limitMs: LIMIT_MS });
    if (code !== 0) throw new ReadError(`${program} ended with code ${code}`);
    return operation.result.parse(stdout);
  } catch (error) {
    if (error instanceof ReadError) throw error;
    if (error instanceof ResultError) {
      throw new ReadError(`${program} printed something unexpected`);
    }
    throw new ReadError(`${program}: ${errorText(error)}`);
  }
};
