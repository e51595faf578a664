// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Reads the command line that qrexec-client sends to a VM:
 * "user:QUBESRPC service+argument source [type target]" or "user:shell command".
 *
 * @module
 */
import { MAX_SERVICE_DESCRIPTOR_BYTES, MAX_SERVICE_NAME_BYTES } from "./limits.ts";

/** A call of a service. */
export interface ServiceCommand {
  readonly kind: "service";
  readonly user: string;
  /** What a socket service is told: the words after QUBESRPC. */
  readonly words: string;
  /** As it was written: "service" or "service+argument". */
  readonly fullName: string;
  readonly name: string;
  /** Undefined if there was no "+", empty if nothing follows it. */
  readonly argument: string | undefined;
  readonly source: string;
  /** Two words when the caller named them, none otherwise. */
  readonly target: readonly [type: string, name: string] | undefined;
  /** True if the number of words is one that a program can be started with. */
  readonly hasValidWordCount: boolean;
}

/** A command for the shell of the user. */
export interface ShellCommand {
  readonly kind: "shell";
  readonly user: string;
  readonly script: string;
}

/** A command line the agent does not accept; `reason` goes to its log. */
export interface BadCommand {
  readonly kind: "bad";
  readonly reason: string;
}

const RPC_KEYWORD = "QUBESRPC";
const NO_GUI_PREFIX = "nogui:";

/** @returns what the command line asks for. */
export function parseCommandLine(line: string): ServiceCommand | ShellCommand | BadCommand {
  const colon = line.indexOf(":");
  if (colon < 0) return bad(`Bad command from dom0 (${line}): no colon`);
  const user = line.slice(0, colon);
  let command = line.slice(colon + 1);
  if (command.startsWith(NO_GUI_PREFIX)) command = command.slice(NO_GUI_PREFIX.length);
  if (!command.startsWith(RPC_KEYWORD)) return { kind: "shell", user, script: command };
  const words = command.slice(RPC_KEYWORD.length + 1);
  if (command.charAt(RPC_KEYWORD.length) !== " ") return bad('"QUBESRPC" not followed by space');
  const space = words.indexOf(" ");
  if (space < 0) return bad("No space found after service descriptor");
  if (space === 0) return bad("Service descriptor is empty");
  const fullName = words.slice(0, space);
  if (byteLength(fullName) > MAX_SERVICE_DESCRIPTOR_BYTES) return bad("Command too long");
  const plus = fullName.indexOf("+");
  const name = plus < 0 ? fullName : fullName.slice(0, plus);
  if (byteLength(name) > MAX_SERVICE_NAME_BYTES) return bad("Service name too long");
  if (name === "") return bad("Service name empty");
  if (words.charAt(space + 1) === " " || space + 1 === words.length) {
    return bad("Source domain is empty");
  }
  const [, source = "", type, target] = words.split(" ").filter((word) => word !== "");
  const wordCount = words.split(" ").filter((word) => word !== "").length;
  return {
    kind: "service",
    user,
    words,
    fullName,
    name,
    argument: plus < 0 ? undefined : fullName.slice(plus + 1),
    source,
    target: type !== undefined && target !== undefined ? [type, target] : undefined,
    hasValidWordCount: wordCount === 2 || wordCount === 4,
  };
}

function bad(reason: string): BadCommand {
  return { kind: "bad", reason };
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
