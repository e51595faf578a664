// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Secrets by reference, fetched when first needed and kept in memory only. None is ever part of
 * an argument list, a log line or an error: errors name the reference.
 *
 * @module
 */

import { ifPresent, readPrivate } from "../../../shared/io/files.ts";
import { readKeyValues } from "../../../shared/io/key_value.ts";
import { UserError } from "../../../shared/cli/program.ts";
import { within } from "../../../shared/io/timing.ts";
import type { SecretRef } from "./config.ts";

export interface Secrets {
  /** @throws {UserError} naming the reference and what to do; never the secret */
  get(ref: SecretRef): Promise<string>;
  /** The upstream refused it: the next get() asks again, but not more often than now and then. */
  refused(ref: SecretRef): void;
  forget(): void;
  /** The text without any secret that was ever fetched. */
  scrub(text: string): string;
}

const MAX_SECRET_BYTES = 16 * 1024;
const MAX_ENV_BYTES = 256 * 1024;
/** dom0 may ask its user first. */
const FETCH_MS = 60_000;
/** What a program printed is read at once when it ends; what it left running may hold its pipe. */
const LEFT_OPEN_MS = 2_000;
/** A wrong key is not asked for with each request. */
const REFETCH_MS = 30_000;

export interface SecretSources {
  readonly environmentFile: string;
  run(argv: readonly string[], timeoutMs: number): Promise<string>;
  nowMs(): number;
}

export function createSecrets(sources: SecretSources): Secrets {
  const kept = new Map<string, { readonly value: Promise<string>; readonly atMs: number }>();
  const known = new Set<string>();
  const keyOf = (ref: SecretRef): string => JSON.stringify(ref);
  return {
    get(ref) {
      const key = keyOf(ref);
      const found = kept.get(key);
      if (found !== undefined) return found.value;
      const value = fetchSecret(ref, sources).then((secret) => {
        known.add(secret);
        return secret;
      });
      kept.set(key, { value, atMs: sources.nowMs() });
      // A failure is not kept: dom0 may be asked again, the file may be mended.
      value.catch(() => kept.delete(key));
      return value;
    },
    refused(ref) {
      const found = kept.get(keyOf(ref));
      if (found !== undefined && sources.nowMs() - found.atMs > REFETCH_MS) kept.delete(keyOf(ref));
    },
    forget: () => kept.clear(),
    scrub(text) {
      let clean = text;
      for (const secret of known) clean = clean.replaceAll(secret, "[secret]");
      return clean;
    },
  };
}

async function fetchSecret(ref: SecretRef, sources: SecretSources): Promise<string> {
  switch (ref.from) {
    case "env":
      return await fromEnvironmentFile(ref.name, sources.environmentFile);
    case "command":
      return checked(await sources.run(ref.argv, FETCH_MS), `the output of ${ref.argv[0]}`);
    case "qrexec":
      return checked(
        await sources.run(["qrexec-client-vm", ref.target, ref.service], FETCH_MS),
        `the answer of ${ref.service} of ${ref.target}`,
      );
    default:
      return ref satisfies never;
  }
}

async function fromEnvironmentFile(name: string, path: string): Promise<string> {
  const text = await ifPresent(readPrivate(path, MAX_ENV_BYTES));
  const hint = `write a line ${name}=KEY into ${path}, then "chmod 600 ${path}"`;
  if (text === undefined) throw new UserError(`${path} is not there`, [hint]);
  const found = readKeyValues(text).entries.find(({ key }) => key === name);
  if (found === undefined) throw new UserError(`${path} has no ${name}`, [hint]);
  return checked(found.value, `${name} of ${path}`);
}

function checked(text: string, what: string): string {
  const secret = text.trim();
  if (/^[\x21-\x7e]{1,16000}$/.test(secret)) return secret;
  throw new UserError(`${what} is not a key: ${secret === "" ? "it is empty" : "odd characters"}`);
}

/** Runs a program and takes what it prints; says nothing of it but how it ended. */
export async function runForSecret(argv: readonly string[], timeoutMs: number): Promise<string> {
  const [program = "", ...args] = argv;
  const child = start(program, args);
  const output = readCapped(child.stdout, MAX_SECRET_BYTES);
  const inTime = await within(timeoutMs, child.status);
  if (!inTime) child.kill("SIGKILL");
  const { code } = await child.status;
  await within(LEFT_OPEN_MS, output.ended);
  const bytes = output.soFar();
  await output.close();
  if (!inTime) throw new UserError(`${program} took longer than ${timeoutMs / 1000} s`);
  if (code !== 0) throw new UserError(`${program} ended with code ${code}`);
  if (bytes === null) throw new UserError(`${program} printed more than a key`);
  return new TextDecoder().decode(bytes);
}

function start(program: string, args: readonly string[]): Deno.ChildProcess {
  try {
    return new Deno.Command(program, {
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "null", // a helper may print the secret there, too
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new UserError(`${program} is not there`);
    if (error instanceof Deno.errors.NotCapable) {
      throw new UserError(`${program} was not in the configuration when the proxy started`, [
        "restart it: systemctl --user restart openclaw-proxy",
      ]);
    }
    throw new UserError(`${program} cannot be started`);
  }
}

interface CappedOutput {
  /** Nobody can write any more. */
  readonly ended: Promise<void>;
  /** null: more than the cap. */
  soFar(): Uint8Array | null;
  close(): Promise<void>;
}

function readCapped(stream: ReadableStream<Uint8Array>, maxBytes: number): CappedOutput {
  const kept = new Uint8Array(maxBytes);
  let length = 0;
  const reader = stream.getReader();
  const read = async (): Promise<void> => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      if (length + value.length <= maxBytes) kept.set(value, length);
      length += value.length;
    }
  };
  return {
    ended: read(),
    soFar: () => length > maxBytes ? null : kept.subarray(0, length),
    close: () => reader.cancel(),
  };
}
