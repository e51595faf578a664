// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A look at the system before anything is changed: are the VMs that are named there and fit for
 * their part, is the package installed, which way do packets take. What stands in the way is
 * an error now, not in the middle.
 *
 * @module
 */

import { ifPresent, readSmallText } from "../../shared/io/files.ts";
import { UserError } from "../../shared/cli/program.ts";
import { printable } from "../../shared/protocol/printable.ts";
import { parseVmName, type VmName } from "../../shared/protocol/vm_name.ts";
import type { KeyQubeRequest } from "./extra_vms.ts";
import { KEYS_POLICY } from "./keyless.ts";
import { parsePrivateIpv4 } from "./network_address.ts";
import type { SetupPaths } from "./paths.ts";
import { output } from "./reader.ts";
import type { Entry } from "./record.ts";
import type { SetupRequest } from "./request.ts";
import type { Tools } from "./tools.ts";
import { type Hop, type Surroundings, TUNNEL_UNIT } from "./wanted.ts";

export interface Survey {
  readonly around: Surroundings;
  /** What people should know before they go on. */
  readonly notes: readonly string[];
  /** The netvm that the agent VM has now and is to lose; undefined: none. */
  readonly lostNetvm: string | undefined;
}

interface VmRow {
  readonly name: string;
  readonly klass: string;
  readonly netvm: string;
  readonly ip: string;
}

const MAX_POLICY_BYTES = 64 * 1024;
/** A longer chain of netvms is a mistake. */
const MAX_HOPS = 8;
const POLICY = "50-openclaw.policy";
const INTER_VM_POLICY = "30-openclaw-inter-vm.policy";

/** @throws {UserError} naming what stands in the way */
export async function survey(
  request: SetupRequest,
  paths: SetupPaths,
  record: readonly Entry[],
  tools: Tools,
): Promise<Survey> {
  const notes: string[] = [];
  const rows = parseRows(
    await output(tools, "qvm-ls", "--raw-data", "--fields", "name,class,netvm,ip"),
  );
  const find = (name: string): VmRow | undefined => rows.find((row) => row.name === name);
  const made = record.flatMap(({ fact }) => fact.kind === "vm" ? [fact.vm] : []);
  const { agent, admin, keyQube } = request;
  const ours = [agent, ...[admin, keyQube].flatMap((one) => one === undefined ? [] : [one.vm])]
    .filter((vm) => find(vm) === undefined || made.includes(vm));

  const templateFor = async (vm: VmName, given: VmName | undefined, option: string) => {
    if (find(vm) !== undefined) {
      checkHost(find(vm));
      if (given !== undefined && !made.includes(vm)) {
        notes.push(`${vm} is there already: its template stays as it is`);
      }
      return given ?? recordedTemplate(record, vm);
    }
    const template = given ?? await defaultTemplate(tools, option);
    if (find(template)?.klass !== "TemplateVM") {
      throw new UserError(`there is no template called ${template}`, [
        'see "qvm-ls --class TemplateVM"',
      ]);
    }
    return template;
  };
  const template = await templateFor(agent, request.template, "TEMPLATE");
  const adminTemplate = admin && await templateFor(admin.vm, admin.template, "--admin-template");
  const keyTemplate = keyQube && await templateFor(keyQube.vm, keyQube.template, "--key-template");
  await checkNetvms(request, find, tools);
  const hops = request.mode === "network" ? await findHops(request, rows, tools) : [];
  noteHops(hops, find, notes);
  if (request.isIpUnused) notes.push(`the address ${request.ip} is used in network mode only`);
  if (keyQube !== undefined && !await hasNetvm(tools, keyQube, find(keyQube.vm))) {
    notes.push(`${keyQube.vm} has no netvm: its proxy will reach no provider; see --key-netvm`);
  }
  await checkUnit(tools);
  const lost = keyQube === undefined ? undefined : find(agent)?.netvm;
  return {
    notes,
    lostNetvm: lost === "-" ? undefined : lost,
    around: {
      paths,
      template,
      adminTemplate,
      keyTemplate,
      hops,
      ours: new Set(ours),
      policies: await readPolicies(paths, policyNames(request)),
    },
  };
}

async function checkNetvms(
  { netvm, admin, keyQube }: SetupRequest,
  find: (name: string) => VmRow | undefined,
  tools: Tools,
): Promise<void> {
  for (const name of [netvm, admin?.netvm, keyQube?.netvm]) {
    if (name !== undefined && name !== "none") await checkNetvm(tools, name, find(name));
  }
}

function policyNames({ withInterVm, keyQube }: SetupRequest): readonly string[] {
  return [
    POLICY,
    ...withInterVm ? [INTER_VM_POLICY] : [],
    ...keyQube === undefined ? [] : [KEYS_POLICY],
  ];
}

/** "name|class|netvm|ip" lines. */
export function parseRows(text: string): readonly VmRow[] {
  return text.split("\n").filter((line) => line !== "").map((line) => {
    const [name, klass, netvm, ip, ...rest] = line.split("|");
    if (name === undefined || klass === undefined || ip === undefined || rest.length > 0) {
      throw new UserError(`qvm-ls printed a line that is not understood: ${printable(line)}`);
    }
    return { name, klass, netvm: netvm ?? "-", ip };
  });
}

function checkHost(row: VmRow | undefined): void {
  if (row === undefined || row.klass === "AppVM" || row.klass === "StandaloneVM") return;
  throw new UserError(`${row.name} is a ${row.klass}; it can only be an AppVM or a StandaloneVM`, [
    "name another qube; one that is not there is created",
  ]);
}

/** Which template a VM of ours came from, so that a second run wants the same. */
function recordedTemplate(record: readonly Entry[], vm: VmName): VmName | undefined {
  for (const { fact } of record) if (fact.kind === "vm" && fact.vm === vm) return fact.template;
  return undefined;
}

async function defaultTemplate(tools: Tools, option: string): Promise<VmName> {
  const name = await output(tools, "qubes-prefs", "default_template");
  if (name !== "") return parseVmName(name);
  throw new UserError(`this Qubes has no default template, and no ${option} was named`, [
    'see "qvm-ls --class TemplateVM"',
  ]);
}

async function checkNetvm(tools: Tools, netvm: VmName, row: VmRow | undefined): Promise<void> {
  if (row === undefined) throw new UserError(`there is no netvm called ${netvm}`);
  if (await output(tools, "qvm-prefs", netvm, "provides_network") === "True") return;
  throw new UserError(`${netvm} does not provide network`, [
    "name a qube such as sys-firewall, or none",
  ]);
}

async function hasNetvm(
  tools: Tools,
  { netvm }: KeyQubeRequest,
  row: VmRow | undefined,
): Promise<boolean> {
  if (netvm !== undefined) return netvm !== "none";
  if (row !== undefined) return row.netvm !== "-";
  return await output(tools, "qubes-prefs", "default_netvm") !== "";
}

/** The netvms from the agent outwards, and the address each sends packets on to. */
async function findHops(
  { agent, netvm, ip }: SetupRequest,
  rows: readonly VmRow[],
  tools: Tools,
): Promise<readonly Hop[]> {
  const rowOf = new Map(rows.map((row) => [row.name, row]));
  const taken = rows.find((row) => row.ip === ip && row.name !== agent);
  if (taken !== undefined) {
    throw new UserError(`${taken.name} has the address ${ip}`, ["name another with --ip"]);
  }
  const hops: Hop[] = [];
  let name = netvm ?? rowOf.get(agent)?.netvm ??
    await output(tools, "qubes-prefs", "default_netvm");
  for (let next = ip; name !== "-" && name !== "";) {
    const row = rowOf.get(name);
    if (row === undefined) throw new UserError(`there is no netvm called ${printable(name)}`);
    if (row.name === agent || hops.length === MAX_HOPS) {
      throw new UserError(`the netvms of ${agent} go in a circle or are more than ${MAX_HOPS}`);
    }
    hops.push({ vm: parseVmName(row.name), next });
    name = row.netvm;
    if (name !== "-") next = parsePrivateIpv4(row.ip);
  }
  if (hops.length > 0) return hops;
  throw new UserError(`${agent} has no netvm, and network mode needs one`, [
    "name NETVM, for example sys-firewall",
  ]);
}

function noteHops(
  hops: readonly Hop[],
  find: (name: string) => VmRow | undefined,
  notes: string[],
): void {
  for (const { vm } of hops) {
    if (find(vm)?.klass !== "DispVM") continue;
    notes.push(
      `${vm} is a disposable: its rules are gone when it restarts; run setup-dom0 again then, ` +
        "or put them into its disposable template yourself",
    );
  }
}

async function checkUnit(tools: Tools): Promise<void> {
  const { code } = await tools.run({ argv: ["systemctl", "cat", TUNNEL_UNIT] });
  if (code === 0) return;
  throw new UserError(`${TUNNEL_UNIT} is not installed`, ['run "make install-dom0" first']);
}

async function readPolicies(paths: SetupPaths, names: readonly string[]) {
  return await Promise.all(names.map(async (name) => {
    const path = `${paths.policySource}/${name}`;
    const text = await ifPresent(readSmallText(path, MAX_POLICY_BYTES));
    if (text !== undefined) return { name, text };
    throw new UserError(`${path} is not there`, ['run "make install-dom0" first']);
  }));
}
