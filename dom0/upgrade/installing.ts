// SPDX-License-Identifier: GPL-2.0-or-later
/** Installing by rpm, or by the script that unpacks an archive: what is there, what is new, how it gets in. @module */

import { delay } from "@std/async/delay";
import { ifPresent, readSmallText } from "../../shared/io/files.ts";
import { type Argv, runTool } from "../../shared/io/run_tool.ts";
import { UserError } from "../../shared/cli/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import type { Installation } from "../settings/paths.ts";
import type { ReleaseFile, ReleaseKind } from "./record.ts";

const MAX_LIST_BYTES = 256 * 1024;
/** The packages for dom0: nothing else is installed in its name. The table of packages has the same. */
export const DOM0_PACKAGES: readonly string[] = [
  "qubes-claw-runtime",
  "qvm-remote-dom0",
  "qvm-remote-dom0-compiled",
  "qubes-claw-dom0",
  "qubes-global-admin-web",
  "qubes-claw-salt",
];
const MAIN = "qvm-remote-dom0";
const FULL_NAME = "%{NAME}-%{VERSION}-%{RELEASE}\n";

/** By what the programs came here. @throws {UserError} by nothing that this could upgrade */
export async function installedBy({ fileList }: Installation): Promise<ReleaseKind> {
  if ((await installedPackages()).length > 0) return "rpm";
  if (await ifPresent(Deno.stat(fileList)) !== undefined) return "archive";
  throw new UserError("what is installed came neither from packages nor from an archive", [
    "install the release as the README says",
  ]);
}

/** Those of ours that rpm knows, as "NAME-VERSION-RELEASE"; none where there is no rpm. */
export async function installedPackages(): Promise<readonly string[]> {
  const query = ["rpm", "--query", "--queryformat", FULL_NAME] as const;
  const found = await Promise.all(DOM0_PACKAGES.map(async (name) => {
    const { code, stdout } = await runTool([...query, name]).catch(absent);
    return code === 0 ? stdout.trimEnd().split("\n") : [];
  }));
  return found.flat();
}

function absent(error: unknown): { readonly code: number; readonly stdout: string } {
  if (error instanceof UserError) return { code: 1, stdout: "" };
  throw error;
}

/** @throws {UserError} not all are packages of ours, or rpm would not install them */
export async function checkPackages(paths: readonly string[]): Promise<void> {
  const query = ["rpm", "--query", "--package", "--queryformat", "%{NAME}\n", "--"] as const;
  const names = (await good([...query, ...paths])).trimEnd().split("\n");
  const foreign = names.find((name) => !DOM0_PACKAGES.includes(name));
  if (foreign !== undefined) {
    throw new UserError(`not a package of this project for dom0: ${printable(foreign)}`);
  }
  if (!names.includes(MAIN)) throw new UserError(`${MAIN} itself is not among the packages`);
  await good(["rpm", "--upgrade", "--test", "--replacepkgs", "--oldpackage", "--", ...paths]);
}

/** Names of packages, as rpm knows them, of files. */
export async function packagesIn(paths: readonly string[]): Promise<readonly string[]> {
  const query = ["rpm", "--query", "--package", "--queryformat", FULL_NAME, "--"] as const;
  const said = await good([...query, ...paths]);
  return said.trimEnd().split("\n");
}

/** All files that are installed, as absolute paths. */
export async function installedFiles(
  kind: ReleaseKind,
  { fileList }: Installation,
): Promise<readonly string[]> {
  if (kind === "archive") {
    return (await readSmallText(fileList, MAX_LIST_BYTES)).trimEnd().split("\n");
  }
  const packages = await installedPackages();
  return (await good(["rpm", "--query", "--list", ...packages])).trimEnd().split("\n");
}

/**
 * What installs is a unit of its own: neither a terminal that closes nor the end of this program ends it in the
 * middle, and the next program can wait for it.
 */
const INSTALLER_UNIT = "qvm-remote-upgrade.service";
const APART = [
  "systemd-run",
  "--quiet",
  "--collect",
  "--wait",
  "--pipe",
  `--unit=${INSTALLER_UNIT}`,
  "--",
] as const;
const LOOK_AGAIN_MS = 250;

/** An installer whose upgrade was killed has ended when this resolves. */
export async function installerEnded(): Promise<void> {
  const isActive = ["systemctl", "is-active", "--quiet", INSTALLER_UNIT] as const;
  while ((await runTool(isActive)).code === 0) await delay(LOOK_AGAIN_MS);
}

/** Also one that is older, and one that is there already: its files may not be all there. */
export async function installPackages(paths: readonly string[]): Promise<void> {
  await good([...APART, "rpm", "--upgrade", "--replacepkgs", "--oldpackage", "--", ...paths]);
}

/** install-dom0 checks each entry, and keeps what people edited. */
export async function installArchive(
  { root }: Installation,
  folder: string,
  { name, sha256 }: ReleaseFile,
): Promise<void> {
  const script = `${root}/usr/lib/qubes-claw/install-dom0`;
  const argv = ["sh", script, "--yes", `${folder}/${name}`, sha256] as const;
  await good(root === "" ? [...APART, ...argv] : ["env", `DESTDIR=${root}`, ...argv]);
}

/** @throws {UserError} with what it said */
async function good(argv: Argv): Promise<string> {
  const { code, stdout, stderr } = await runTool(argv);
  if (code === 0) return stdout;
  const said = printable((stderr.trim() === "" ? stdout : stderr).trim(), 600);
  throw new UserError(`${argv[0]} ended with ${code}: ${said}`);
}
