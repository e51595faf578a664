// SPDX-License-Identifier: GPL-2.0-or-later
/** The steps of an upgrade as they are done: by systemd, rpm and files. @module */

import { basename } from "@std/path/posix/basename";
import { delay } from "@std/async/delay";
import { spanMs } from "../../shared/io/clock.ts";
import { durableFolder, durableRename } from "../../shared/io/durable.ts";
import { exists, ifPresent } from "../../shared/io/files.ts";
import { runTool } from "../../shared/io/run_tool.ts";
import { readFormats } from "../../shared/io/state_formats.ts";
import { errorText, UserError } from "../../shared/cli/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { readDaemonState } from "../daemon/state_file.ts";
import { type Acting, recordAction } from "../operator/acting.ts";
import { drainDaemon, holdDaemon, whatRuns } from "../operator/drain.ts";
import type { Lease } from "../operator/lease.ts";
import { systemctl, UNIT } from "../operator/service.ts";
import {
  installArchive,
  installedFiles,
  installedPackages,
  installerEnded,
  installPackages,
  packagesIn,
} from "./installing.ts";
import { keepFiles, type KeptPlace, putBackFiles } from "./kept_files.ts";
import { type UpgradeRecord, writeUpgrade } from "./record.ts";
import type { UpgradeActions } from "./run_upgrade.ts";

/** Others of dom0 that run the programs, by scripts that know nothing of packages. */
const OTHER_UNITS = ["openclaw-tunnels.service", "qubes-global-admin-web.service"];
const CHECK_LIMIT_MS = 120_000;
const RUNNING_LIMIT_MS = 60_000;
const LOOK_AGAIN_MS = 250;
const EXIT_UNKNOWN_COMMAND = 2;

export interface UpgradeOptions {
  readonly acting: Acting;
  /** Whether to wait for what VMs have running. */
  readonly waits: boolean;
  readonly print: (text: string) => void;
  readonly waitsFor: (running: readonly string[]) => void;
}

export function upgradeActions(options: UpgradeOptions): UpgradeActions {
  const { acting, print } = options;
  const { paths } = acting;
  const place: KeptPlace = { root: paths.installation.root, folder: `${paths.upgradeFolder}/old` };
  const from = packageFolders(paths.upgradeFolder);
  return {
    async keep({ kind }) {
      await keepFiles(place, await installedFiles(kind, paths.installation));
      await keepConfiguration(acting);
      if (kind === "rpm") await keepPackages(from);
    },
    stop: (record) => stopDaemon(record, options),
    async install({ kind, files }) {
      await installerEnded();
      if (kind === "rpm") {
        return await installPackages(files.map(({ name }) => `${from.new}/${name}`));
      }
      for (const file of files) await installArchive(paths.installation, from.new, file);
    },
    async start({ kind, wasRunning }) {
      await systemctl("daemon-reload");
      if (kind === "archive") {
        for (const unit of OTHER_UNITS) await runTool(["systemctl", "try-restart", unit]);
      }
      if (wasRunning) await systemctl("start", UNIT);
    },
    try: (record) => tryProgram(record, options),
    async check(record) {
      if (record.wasRunning) await checkDaemon(acting);
      if (record.way === "forward" && record.kind === "rpm") await adoptPackages(from);
    },
    async putBack(record) {
      await refuseNewerStateThan(record, acting);
      await installerEnded();
      const packages = record.kind === "rpm" ? await kept(from.old) : [];
      if (packages.length > 0) return await installPackages(packages);
      await putBackFiles(place, await installedFiles(record.kind, paths.installation));
      if (record.kind === "archive") return;
      print(
        "The old packages were not at hand, so their files were put back: rpm still names the new version.\n",
      );
    },
    save: (record) => writeUpgrade(paths, record),
    say: (text) => tell(text, options),
  };
}

/** @throws {UserError} something runs, and nobody said that it is to be waited for */
async function stopDaemon(
  { way, failure }: UpgradeRecord,
  { acting, waits, waitsFor }: UpgradeOptions,
): Promise<void> {
  if (await readDaemonState(acting.paths) === undefined) return await systemctl("stop", UNIT);
  try {
    using _held = waits || failure !== null
      ? await drainDaemon(acting, waitsFor)
      : await holdIfIdle(acting);
    await systemctl("stop", UNIT);
  } catch (error) {
    if (way === "forward" || error instanceof StillRuns) throw error;
    await systemctl("stop", UNIT); // a daemon that takes no orders is why this goes back
  }
}

class StillRuns extends UserError {}

async function holdIfIdle(acting: Acting): Promise<Lease> {
  const lease = holdDaemon(acting);
  const running = await whatRuns(acting, lease).catch((error) => {
    lease[Symbol.dispose]();
    throw error;
  });
  if (running.length === 0) return lease;
  lease[Symbol.dispose]();
  throw new StillRuns(`this still runs: ${running.join(", ")}`, ["--wait waits for its end"]);
}

/** What is installed checks itself, by a request from its signature to its outcome. */
async function tryProgram(
  { way }: UpgradeRecord,
  { acting, print }: UpgradeOptions,
): Promise<void> {
  const program = `${acting.paths.installation.root}/usr/bin/qvm-remote-dom0`;
  const limit = { limitMs: CHECK_LIMIT_MS };
  const { code, stderr } = await runTool([program, "self-check"], limit);
  if (code === 0) return;
  if (way === "back" && code === EXIT_UNKNOWN_COMMAND) {
    return print("The program before cannot check itself.\n");
  }
  throw new UserError(`the check ended with ${code}: ${printable(stderr.trim(), 400)}`);
}

/** The daemon that systemd started is there, and takes an order. */
async function checkDaemon(acting: Acting): Promise<void> {
  for (const endMs = spanMs() + RUNNING_LIMIT_MS;;) {
    if (await readDaemonState(acting.paths) !== undefined) break;
    if (spanMs() > endMs) throw new UserError("the daemon was started and does not run");
    await delay(LOOK_AGAIN_MS);
  }
  using lease = holdDaemon(acting);
  await whatRuns(acting, lease);
}

/** @throws {UserError} the old programs would misread what is there by now */
async function refuseNewerStateThan(
  { formats, from }: UpgradeRecord,
  { paths }: Acting,
): Promise<void> {
  for (const [name, version] of await readFormats(paths.formatsFile)) {
    const known = formats[name] ?? 0;
    if (version <= known) continue;
    throw new UserError(
      `${paths.formatsFile} says that "${name}" is in version ${version} by now, and ${from} knows ${known}`,
      ["the new programs stay; start them with: systemctl start qvm-remote-dom0"],
    );
  }
}

/** For a person who wants to compare; never put back: a right that was taken since stays taken. */
async function keepConfiguration({ paths }: Acting): Promise<void> {
  const into = `${paths.upgradeFolder}/old/configuration`;
  await durableFolder(into);
  const policies = await ifPresent(Array.fromAsync(Deno.readDir(paths.policyFolder))) ?? [];
  const files = [
    ...paths.installation.edited.map(({ file }) => file),
    ...policies.filter(({ isFile }) => isFile).map(({ name }) => `${paths.policyFolder}/${name}`),
  ];
  for (const file of files) {
    await ifPresent(Deno.copyFile(file, `${into}/${basename(file)}`));
  }
}

interface PackageFolders {
  readonly new: string;
  /** What is installed came from these, if an upgrade installed it. */
  readonly current: string;
  /** Those that lead back. */
  readonly old: string;
}

function packageFolders(upgradeFolder: string): PackageFolders {
  return {
    new: `${upgradeFolder}/new`,
    current: `${upgradeFolder}/packages`,
    old: `${upgradeFolder}/old-packages`,
  };
}

async function kept(folder: string): Promise<readonly string[]> {
  const entries = await ifPresent(Array.fromAsync(Deno.readDir(folder))) ?? [];
  return entries.filter(({ name }) => name.endsWith(".rpm")).map(({ name }) => `${folder}/${name}`)
    .toSorted();
}

/** Whether the packages there are those that are installed now. */
async function areInstalled(folder: string): Promise<boolean> {
  const files = await kept(folder);
  if (files.length === 0) return false;
  const [there, now] = await Promise.all([packagesIn(files), installedPackages()]);
  return now.every((name) => there.includes(name));
}

async function keepPackages({ current, old }: PackageFolders): Promise<void> {
  if (await areInstalled(current)) await replaceFolder(current, old);
  else if (!await areInstalled(old) && await exists(old)) {
    await Deno.remove(old, { recursive: true });
  }
}

async function adoptPackages(folders: PackageFolders): Promise<void> {
  if (await exists(folders.new)) await replaceFolder(folders.new, folders.current);
}

async function replaceFolder(from: string, to: string): Promise<void> {
  if (await exists(to)) await Deno.remove(to, { recursive: true });
  await durableRename(from, to);
}

/** On the terminal, in the journal, and in the record; a disk that refuses the last two stops nothing. */
async function tell(text: string, { acting, print }: UpgradeOptions): Promise<void> {
  print(`${text}\n`);
  await runTool(["logger", "--tag", "qvm-remote-dom0", "--", `upgrade: ${text}`]).catch(ignored);
  await recordAction(acting, "upgrade", { says: text }).catch(ignored);
}

function ignored(error: unknown): void {
  console.error(`upgrade: ${errorText(error)}`);
}
