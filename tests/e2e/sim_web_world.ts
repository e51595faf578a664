// SPDX-License-Identifier: GPL-2.0-or-later
/** The machine that "make sim-web" shows: its qubes, its agent, and what they ask for. @module */

import type { VmOptions } from "../sim/world.ts";
import { exists } from "../../shared/io/files.ts";
import { worldPaths } from "../sim/layout.ts";
import { denoRun, quote } from "../sim/launcher.ts";
import { until } from "../until.ts";
import { writeExecutable } from "../executable.ts";
import type { Installed } from "./installed.ts";

const TEMPLATE = "debian-13";
const networked = (netvm: string) => ({ netvm, template: TEMPLATE });

export const AGENT = "claw";

export const VMS: readonly VmOptions[] = [
  { name: TEMPLATE, klass: "TemplateVM", label: "black", running: false },
  {
    name: "sys-net",
    label: "red",
    prefs: { ...networked(""), provides_network: "True" },
  },
  {
    name: "sys-firewall",
    label: "orange",
    prefs: { ...networked("sys-net"), provides_network: "True" },
  },
  { name: "work", label: "blue", prefs: networked("sys-firewall") },
  { name: "personal", label: "yellow", running: false, prefs: networked("sys-firewall") },
  { name: "vault", label: "black", running: false, prefs: networked("") },
  { name: "untrusted", label: "red", prefs: networked("sys-firewall") },
  {
    name: AGENT,
    label: "purple",
    klass: "StandaloneVM",
    tags: ["openclaw-server"],
    prefs: { netvm: "sys-firewall" },
  },
  { name: "ai-build-1", label: "purple", tags: ["ai"], prefs: networked("sys-firewall") },
  {
    name: "ai-build-2",
    label: "purple",
    tags: ["ai"],
    running: false,
    prefs: networked("sys-firewall"),
  },
];

export interface Wish {
  readonly vm: string;
  readonly words: readonly string[];
  readonly input?: string;
}

/** The machine's first minute: what needs no answer, so that every page has something to show. */
export const FIRST: readonly Wish[] = [
  { vm: "work", words: ["qvm-tags", "untrusted", "add", "lab"] },
  {
    vm: "work",
    words: ["plan", "-"],
    input: `
- {operation: vm.prefs.set, vm: ai-build-1, property: maxmem, value: "6000"}
- {operation: vm.tags.add, vm: ai-build-1, tag: nightly}
- {operation: vm.start, vm: ai-build-2}
`,
  },
  {
    vm: "work",
    words: ["plan", "--undo-on-failure", "-"],
    input: `
- {operation: vm.prefs.set, vm: ai-build-2, property: maxmem, value: "16000"}
- {operation: vm.prefs.set, vm: ai-build-2, property: no_such_property, value: "1"}
- {operation: vm.tags.add, vm: ai-build-2, tag: large}
`,
  },
  { vm: "work", words: ["qvm-start", "no-such-qube"] },
];

/** What the agent would like to do; each waits for a person. */
export const WISHES: readonly Wish[] = [
  {
    vm: AGENT,
    words: ["plan", "--why", "A larger build qube for the nightly tests.", "-"],
    input: `
- {operation: vm.create, vm: ai-build-3, label: purple, template: ${TEMPLATE}}
- {operation: vm.prefs.set, vm: ai-build-3, property: maxmem, value: "16000"}
- {operation: vm.start, vm: ai-build-3}
`,
  },
  asks("Nightly tests run in it.", "qvm-tags", "ai-build-1", "add", "ci"),
  asks("The build needs more memory.", "qvm-prefs", "ai-build-2", "maxmem", "8000"),
  asks(
    "Clones its fixtures over ssh.",
    ...["qvm-firewall", "ai-build-1", "add", "accept"],
    ...["dsthost=192.0.2.17", "proto=tcp", "dstports=22"],
  ),
  asks("Not needed any more.", "qvm-remove", "--force", "ai-build-2"),
  { vm: AGENT, words: ["for qube in $(qvm-ls --raw-list); do echo $qube; done"] },
];

function asks(why: string, ...words: readonly string[]): Wish {
  return { vm: AGENT, words: ["--why", why, ...words] };
}

/**
 * What a real dom0 and a real agent VM have besides the tools of the simulation.
 *
 * @returns what starts VMs: ended when the world ends
 */
export async function furnish({ world }: Installed): Promise<Deno.ChildProcess> {
  const { dom0Root, dom0Bin, vmBin, folder } = world;
  const put = async (path: string, text: string, mode = 0o600): Promise<void> => {
    await Deno.mkdir(`${dom0Root}${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
    await Deno.writeTextFile(`${dom0Root}${path}`, text, { mode });
  };
  await put("/etc/qubes/openclaw.conf", `OPENCLAW_VM=${AGENT}\nOPENCLAW_PROXY_PORT=32125\n`);
  await put("/etc/qubes-release", "Qubes release 4.3 (simulated)\n");
  await put("/etc/qubes/policy.d/50-openclaw.policy", QREXEC_POLICY, 0o644);
  await put("/root/backup-passphrase", "correct horse battery staple\n");
  await Deno.mkdir(`${dom0Root}/mnt/backup`, { recursive: true });
  const home = `${world.vmRoot("work")}/home/user`;
  await Deno.mkdir(`${home}/Documents`, { recursive: true });
  await Deno.writeTextFile(`${home}/report.txt`, "What was built last night.\n".repeat(100_000));
  const script = (path: string, text: string): void => writeExecutable(path, `#!/bin/sh\n${text}`);
  for (const tool of ["cat", "ls"]) {
    script(`${dom0Bin}/${tool}`, inRoot(dom0Root, `/bin/${tool}`));
  }
  const double = new URL("agent-double.ts", import.meta.url).pathname;
  const flags = "run --quiet --no-check --no-config --no-lock -A";
  const run = `exec deno ${flags} ${quote(double)} ${quote(`${folder}/agent.json`)}`;
  script(`${vmBin}/openclaw-ctl`, `${run} openclaw-ctl "$@"\n`);
  script(`${dom0Bin}/openclaw-tunnel`, `${run} openclaw-tunnel "$@"\n`);
  script(`${dom0Bin}/xl`, XL);
  script(
    `${dom0Bin}/qvm-template`,
    `echo "installed|${TEMPLATE}|0:4.3.0-202611010000|qubes-templates-itl"\n`,
  );
  script(`${dom0Bin}/qubes-dom0-update`, "sleep 2; echo 'No packages to update.'\n");
  return await startQubesd(folder);
}

async function startQubesd(folder: string): Promise<Deno.ChildProcess> {
  const [program = "", ...args] = denoRun(
    { deno: Deno.execPath() },
    new URL("../sim/sim-qubesd.ts", import.meta.url),
  );
  const child = new Deno.Command(program, { args: [...args, folder] }).spawn();
  await until("VMs can be started", () => exists(worldPaths(folder).qubesd));
  return child;
}

/** A tool that finds the files of the simulated dom0 where it has them. */
function inRoot(root: string, tool: string): string {
  return `n=$#
while [ $n -gt 0 ]; do
  word=$1; shift; n=$((n - 1))
  case $word in /*) [ ! -e ${quote(root)}"$word" ] || word=${quote(root)}$word;; esac
  set -- "$@" "$word"
done
exec ${tool} "$@"
`;
}

const QREXEC_POLICY = `# Who reaches the agent.
openclaw.Mux  +32125  @tag:openclaw-client  @tag:openclaw-server  allow
openclaw.Mux  *       @anyvm                @anyvm                deny
`;

const XL = `case $1 in
  info) printf '%s\\n' 'host                   : dom0' 'release                : 6.12.54' \\
    'xen_version            : 4.19.2' 'total_memory           : 32664' \\
    'free_memory            : 11873' 'nr_cpus                : 8';;
  list) printf '%-40s %5s %5s %5s %6s %8s\\n' Name ID 'Mem' VCPUs State 'Time(s)' \\
    Domain-0 0 4096 8 r----- 4012.3 sys-net 1 400 2 -b---- 82.1 work 3 4000 2 -b---- 311.7;;
  uptime) echo 'Name                                ID Uptime'; echo 'Domain-0    0 1 day,  2:03:12';;
esac
`;
