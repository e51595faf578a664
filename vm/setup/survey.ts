// SPDX-License-Identifier: GPL-2.0-or-later
/** What is there, before anything is changed: the VM, its means, its packages, its tools. @module */

import { exists, ifPresent, readSmallText } from "../../shared/io/files.ts";
import { readKeyValues } from "../../shared/io/key_value.ts";
import { UserError } from "../../shared/cli/program.ts";
import type { Tools } from "../../shared/setup/tools.ts";
import { type QubesDb, readVmKind, type VmKind } from "../ports/vm_kind.ts";
import { type Distribution, distributionOf } from "./distribution.ts";
import type { PackageList } from "./fact.ts";
import { type Destination, destination, type Places } from "./places.ts";
import { providerNotes } from "./provider_tools.ts";
import { fileHash, installedHash } from "./reader.ts";
import type { SetupRequest } from "./request.ts";
import { keyNames } from "./secrets.ts";
import {
  diskProblem,
  isNodeGoodEnough,
  memoryProblem,
  networkProblem,
  npmProblem,
  type Problem,
} from "./requirements.ts";
import { tried } from "./tried.ts";
import { type Around, servicesOf, templatesFor } from "./wanted.ts";

export interface Survey {
  readonly around: Around;
  readonly problems: readonly Problem[];
  readonly notes: readonly string[];
  /** Where OpenClaw is, or will be: PREFIX/bin/openclaw. */
  readonly prefix: string;
  readonly hasRoot: boolean;
  /** Whether proxy.env has one of the provider's keys. */
  readonly hasKey: boolean;
}

const MAX_TEXT_BYTES = 1024 * 1024;

export async function survey(
  request: SetupRequest,
  places: Places,
  tools: Tools,
  ask: QubesDb,
): Promise<Survey> {
  // A container has no QubesDB, and nothing of it is needed there.
  const kind: VmKind = request.onlyFiles ? "standalone" : await readVmKind(ask);
  const flags = await readFlags(places, request);
  const templates = await readTemplates(places, request);
  const hasKey = await isKeyThere(places, request);
  if (request.onlyFiles) {
    const around = { kind, flags, templates, packages: new Map(), npmOptions: "" };
    const prefix = places.systemLib;
    return { around, problems: [], notes: [], prefix, hasRoot: false, hasKey };
  }
  const packages = await packagesOf(request, places, kind, tools);
  const npmOptions = await npmOptionsOf(places, kind);
  const problems = [
    ...(request.part === "keys" || kind === "template" ? [] : await memory(places, tools)),
    ...(packages.missing.size === 0 ? [] : await means(packages, kind, npmOptions, places, {
      tools,
      ask,
    })),
  ];
  const distribution = await readDistribution(places);
  return {
    around: { kind, flags, templates, packages: packages.wanted, npmOptions: npmOptions.join(" ") },
    problems: problems.filter(({ what }) =>
      !(request.anyway && (what === "memory" || what === "disk"))
    ),
    notes: kind === "template" ? [] : await providerNotes(request, distribution, tools),
    prefix: packages.to.prefix,
    hasRoot: (await tried(tools, "sudo", "-n", "true"))?.code === 0,
    hasKey,
  };
}

interface Packages {
  readonly to: Destination;
  /** What this VM is to have of its own, by name: the hash of its list. */
  readonly wanted: ReadonlyMap<PackageList, string>;
  readonly missing: ReadonlySet<PackageList>;
}

/** The template's OpenClaw serves its VMs too, if it is the one of this version. */
async function packagesOf(
  request: SetupRequest,
  { share, systemLib, ...places }: Places,
  kind: VmKind,
  tools: Tools,
): Promise<Packages> {
  const own = destination({ share, systemLib, ...places }, kind, request);
  const nothing = { wanted: new Map(), missing: new Set<PackageList>() };
  if (request.part === "keys") return { to: own, ...nothing };
  const openclaw = await listHash(share, "openclaw");
  const isInTemplate = kind === "app" &&
    await installedHash(systemLib, "openclaw") === openclaw;
  if (isInTemplate) return { to: { prefix: systemLib, root: true }, ...nothing };
  const wanted = new Map<PackageList, string>();
  const installed = await installedHash(own.prefix, "node");
  const system = await tried(tools, "node", "--version");
  // One that was installed stays: the distribution's may go again.
  if (installed !== undefined || !isNodeGoodEnough(system?.stdout ?? "")) {
    wanted.set("node", await listHash(share, "node"));
  }
  wanted.set("openclaw", openclaw); // the last: it is tried out with that Node
  const missing = new Set<PackageList>();
  for (const [name, hash] of wanted) {
    if (await installedHash(own.prefix, name) !== hash) missing.add(name);
  }
  return { to: own, wanted, missing };
}

async function listHash(share: string, name: PackageList): Promise<string> {
  const hash = await fileHash(`${share}/${name}/package-lock.json`);
  if (hash !== undefined) return hash;
  throw new UserError(`${share}/${name}/package-lock.json is not there`, [
    'run "make install-vm" first',
  ]);
}

async function memory({ root }: Places, tools: Tools): Promise<readonly Problem[]> {
  const { stdout } = await tools.run({ argv: ["grep", "^MemTotal:", `${root}/proc/meminfo`] });
  const total = /(\d+) kB/.exec(stdout)?.[1];
  const maximum = (await tried(tools, "xenstore-read", "memory/static-max"))?.stdout.trim();
  const problem = memoryProblem(
    Number(total ?? 0),
    maximum !== undefined && /^\d{1,15}$/.test(maximum) ? Number(maximum) : undefined,
  );
  return problem === undefined ? [] : [problem];
}

/** Room, npm, and a registry that answers: asked only if something has to be fetched. */
async function means(
  { to }: Packages,
  kind: VmKind,
  npmOptions: readonly string[],
  places: Places,
  { tools, ask }: { readonly tools: Tools; readonly ask: QubesDb },
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  const folder = to.root ? `${places.root}/usr` : places.home;
  const { stdout } = await tools.run({ argv: ["df", "--output=avail", "-B1", "--", folder] });
  const disk = diskProblem(Number(/(\d+)\s*$/.exec(stdout)?.[1] ?? 0), to.prefix);
  if (disk !== undefined) problems.push(disk);
  if ((await tried(tools, "npm", "--version"))?.code !== 0) {
    return [...problems, npmProblem(kind, await readDistribution(places))];
  }
  const ping = await tools.run({ argv: ["npm", "ping", ...PING_OPTIONS, ...npmOptions] });
  if (ping.code === 0) return problems;
  const gateway = await ask("/qubes-gateway");
  return [...problems, networkProblem(kind, gateway !== undefined && gateway !== "")];
}

const PING_OPTIONS = ["--fetch-retries=0", "--fetch-timeout=20000", "--loglevel=error"];

/** A template has no netvm; its packages come through the updates proxy, if Qubes set that up. */
const UPDATES_PROXY = "http://127.0.0.1:8082";

async function npmOptionsOf({ root }: Places, kind: VmKind): Promise<readonly string[]> {
  const isSetUp = await exists(`${root}/run/qubes-service/updates-proxy-setup`);
  return kind === "template" && isSetUp
    ? [`--https-proxy=${UPDATES_PROXY}`, `--proxy=${UPDATES_PROXY}`]
    : [];
}

async function readDistribution({ root }: Places): Promise<Distribution> {
  const paths = [`${root}/etc/os-release`, `${root}/usr/lib/os-release`];
  for (const path of paths) {
    const text = await ifPresent(readSmallText(path, MAX_TEXT_BYTES));
    if (text !== undefined) return distributionOf(text);
  }
  return distributionOf("");
}

async function readFlags({ root }: Places, request: SetupRequest): Promise<ReadonlySet<string>> {
  const flags = new Set<string>();
  for (const { flag } of servicesOf(request)) {
    if (await exists(`${root}/run/qubes-service/${flag}`)) flags.add(flag);
  }
  return flags;
}

async function isKeyThere({ state }: Places, { provider }: SetupRequest): Promise<boolean> {
  // What cannot be read is told where it is written.
  const text = await readSmallText(`${state}/proxy.env`, MAX_TEXT_BYTES).catch(() => undefined);
  const names = keyNames(provider);
  return text !== undefined &&
    readKeyValues(text).entries.some(({ key, value }) => names.includes(key) && value !== "");
}

async function readTemplates(
  { share }: Places,
  request: SetupRequest,
): Promise<ReadonlyMap<string, string>> {
  const texts = await Promise.all(
    templatesFor(request).map(async (name) => {
      const path = `${share}/${name}`;
      const text = await ifPresent(readSmallText(path, MAX_TEXT_BYTES));
      if (text !== undefined) return [name, text] as const;
      throw new UserError(`${path} is not there`, ['run "make install-vm" first']);
    }),
  );
  return new Map(texts);
}
