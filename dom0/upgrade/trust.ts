// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Whether what was brought is what somebody released: its hash against SHA256SUMS, and who signed that, or, of
 * packages, who signed them by rpm's own keyring. Nothing is unpacked here.
 *
 * @module
 */

import { ifPresent, readSmallText } from "../../shared/io/files.ts";
import { runTool, type ToolEnd } from "../../shared/io/run_tool.ts";
import { sha256OfFile } from "../../shared/io/sha256.ts";
import { UserError } from "../../shared/cli/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { ReleaseFile, ReleaseKind } from "./record.ts";
import { SIGNATURE, SUMS } from "./release_files.ts";

const MAX_SUMS_BYTES = 1024 * 1024;
const SUM_LINE = /^([0-9a-f]{64}) [ *]([A-Za-z0-9._+\/-]+)$/;
const FINGERPRINT = /^\[GNUPG:\] VALIDSIG ([0-9A-F]{40,64}) /m;

/** Who vouches for the hashes. */
export type Signed =
  | { readonly by: "key"; readonly fingerprint: string }
  | { readonly by: "rpm" }
  | { readonly by: "nobody"; readonly why: string };

export interface Trust {
  readonly files: readonly ReleaseFile[];
  /** Whether SHA256SUMS is there; then each file has the hash that it names. */
  readonly summed: boolean;
  readonly signed: Signed;
}

export interface TrustOptions {
  readonly folder: string;
  readonly names: readonly string[];
  readonly kind: ReleaseKind;
  /** A file of dom0 with the public key that must have signed; undefined: rpm's keyring has to know it. */
  readonly keyFile: string | undefined;
}

/** @throws {UserError} a hash or a signature is wrong: then nothing of it may be used */
export async function checkTrust(options: TrustOptions): Promise<Trust> {
  const { folder, names } = options;
  const files = await Promise.all(
    names.map(async (name) => ({ name, sha256: await sha256OfFile(`${folder}/${name}`) })),
  );
  const text = await ifPresent(readSmallText(`${folder}/${SUMS}`, MAX_SUMS_BYTES));
  if (text !== undefined) checkSums(files, text);
  return { files, summed: text !== undefined, signed: await whoSigned(options, text) };
}

/** @throws {UserError} */
export function checkSums(files: readonly ReleaseFile[], untrustedText: string): void {
  const sums = new Map(
    untrustedText.split("\n").filter((line) => line !== "").map((line): [string, string] => {
      const [, sha256, name] = SUM_LINE.exec(line) ?? [];
      if (sha256 !== undefined && name !== undefined) return [name, sha256];
      throw new UserError(`${SUMS} has a line that is none: ${printable(line)}`);
    }),
  );
  for (const { name, sha256 } of files) {
    const wanted = sums.get(name);
    if (wanted === undefined) throw new UserError(`${SUMS} does not name ${name}`);
    if (wanted === sha256) continue;
    throw new UserError(`${name} has the hash ${sha256}, and ${SUMS} says ${wanted}`, [
      "copy it again; if that does not help, somebody changed it",
    ]);
  }
}

async function whoSigned(options: TrustOptions, sums: string | undefined): Promise<Signed> {
  const { folder, names, kind, keyFile } = options;
  if (keyFile !== undefined) return await signedByKey(folder, keyFile, sums);
  if (kind === "rpm") return await signedForRpm(names.map((name) => `${folder}/${name}`));
  const isSigned = await ifPresent(Deno.stat(`${folder}/${SIGNATURE}`)) !== undefined;
  return {
    by: "nobody",
    why: isSigned
      ? `${SIGNATURE} is there, but no --key that it could be checked by`
      : "no signature",
  };
}

/** With a key ring of its own, in which there is that key alone. @throws {UserError} */
async function signedByKey(
  folder: string,
  keyFile: string,
  sums: string | undefined,
): Promise<Signed> {
  if (sums === undefined) throw new UserError(`there is no ${SUMS} that the key could have signed`);
  const home = await Deno.makeTempDir({ dir: folder, prefix: ".gnupg-" });
  const gpg = (...words: readonly string[]): Promise<ToolEnd> =>
    runTool(["gpg", "--homedir", home, "--batch", "--no-autostart", "--quiet", ...words]);
  try {
    const imported = await gpg("--import", "--", keyFile);
    if (imported.code !== 0) {
      throw new UserError(`${keyFile} is no public key: ${printable(imported.stderr.trim(), 200)}`);
    }
    const files = [`${folder}/${SIGNATURE}`, `${folder}/${SUMS}`];
    const { code, stdout, stderr } = await gpg("--status-fd", "1", "--verify", "--", ...files);
    const fingerprint = FINGERPRINT.exec(stdout)?.[1];
    if (code === 0 && fingerprint !== undefined) return { by: "key", fingerprint };
    throw new UserError(
      `${SUMS} is not signed by the key in ${keyFile}: ${printable(stderr.trim(), 200)}`,
      ["nothing of it is installed; take the release and its signature anew"],
    );
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

/** @throws {UserError} a signature is there, and rpm does not accept it */
async function signedForRpm(paths: readonly string[]): Promise<Signed> {
  const { code, stdout } = await runTool(["env", "LC_ALL=C", "rpm", "--checksig", "--", ...paths]);
  const lines = stdout.trimEnd().split("\n");
  if (code !== 0) {
    throw new UserError(`rpm does not accept a signature: ${printable(stdout.trim(), 400)}`, [
      'import the key of the release, "rpmkeys --import FILE", or give it with --key',
    ]);
  }
  const isSigned = lines.length === paths.length &&
    lines.every((line) => / signatures OK$/.test(line));
  return isSigned ? { by: "rpm" } : { by: "nobody", why: "the packages have no signature" };
}

/** What a person has to know of it, and to weigh. */
export function trustText({ files, summed, signed }: Trust, keyFile: string | undefined): string {
  const sums = summed ? `as ${SUMS} says` : `there is no ${SUMS} to compare it with`;
  const lines = files.map(({ name, sha256 }) => `${name}\n  sha256 ${sha256}, ${sums}\n`);
  return `${lines.join("")}Signed: ${signedText(signed, keyFile)}\n`;
}

function signedText(signed: Signed, keyFile: string | undefined): string {
  switch (signed.by) {
    case "key":
      return `${SUMS}, by the key in ${keyFile}, ${signed.fingerprint}`;
    case "rpm":
      return "each package, by a key in rpm's keyring";
    case "nobody":
      return `by nobody: ${signed.why}`;
    default:
      return signed satisfies never;
  }
}
