// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A machine with this project's programs in it, put there by "make install-dom0" or "install-vm",
 * and the simulated Qubes of tests/sim around it:
 *
 *     /opt/qubes-claw          the simulation's programs
 *     /var/lib/qsim            the world: VMs as folders; qubesd.service starts them at boot
 *     /run/qubes               where qrexec's sockets are, for the group qubes
 *     /usr/bin/qrexec-client   (in a VM qrexec-client-vm) calls only if it may open what Xen's would
 *     /opt/vm                  in dom0: what install-vm puts into the VMs
 *
 * @module
 */

import { PROJECT } from "../e2e/program_flags.ts";
import { type Bind, bootMachine, type Finished, type Machine, type Shell } from "./machine.ts";

const CHECKOUT = "/opt/qubes-claw";
export const WORLD = "/var/lib/qsim";
const SIM = `/usr/local/bin/deno run --quiet -A --no-config --no-lock --no-remote --no-npm ` +
  `${CHECKOUT}/tests/sim/sim_cli.ts`;

/** What libxencall, libxengnttab and libxenevtchn say when a device may not be opened. */
const NEEDS_XEN = `
for node in hypercall privcmd evtchn gntalloc gntdev xenbus; do
  case $( { : <>/dev/xen/$node; } 2>&1 ) in
    *"not permitted"* | *denied*)
      echo "xencall: error: Error on trying to open $node: Operation not permitted" >&2
      exit 125 ;;
  esac
done`;

const QUBESD = `
[Unit]
Description=The simulated Qubes
[Service]
Type=oneshot
RemainAfterExit=yes
Environment=DENO_DIR=/var/cache/qsim-deno
# Sockets are the group's, as in Qubes; what the simulation knows, any user's call reads.
UMask=0002
ExecStartPre=/bin/ln -sfn ${WORLD}/dom0/run/qubes /run/qubes
ExecStart=${SIM} start ${WORLD}
[Install]
WantedBy=multi-user.target
`;

export interface SimulatedVm {
  readonly name: string;
  readonly tags?: readonly string[];
}

export interface Dom0Machine extends Machine {
  readonly inVm: VmShell;
}

/** Makes a key in the VM, and lets it in. */
export async function authorize(dom0: Dom0Machine, vm: string): Promise<void> {
  const key = await dom0.inVm(vm, "qvm-remote key gen >/dev/null && qvm-remote key show");
  await dom0.good(`qvm-remote-dom0 authorize --grant full ${vm}`, { input: key.stdout });
}

export interface Dom0MachineOptions {
  readonly binds?: readonly Bind[];
  /** Installs this project, if not the Makefile is to do it. */
  readonly install?: (machine: Machine) => Promise<void>;
}

/** A dom0, installed as the Makefile does, with these VMs running. */
export async function bootDom0(
  vms: readonly SimulatedVm[],
  { binds = [], install }: Dom0MachineOptions = {},
): Promise<Dom0Machine> {
  const machine = await boot(install ?? "install-dom0 FORM=compiled", binds);
  try {
    await installInto(machine, "install-vm", "/opt/vm");
    // Their launchers look where they would be installed.
    const launchers = "/opt/vm/usr/bin/* /opt/vm/usr/lib/qubes-claw/* /opt/vm/etc/qubes-rpc/*";
    await machine.good(
      `sed -i 's,^lib=/usr/,lib=/opt/vm/usr/,' $(grep -lIs '^lib=/usr/' ${launchers})`,
    );
    await createWorld(machine, vms, "qrexec-client", "");
    for (const { name } of vms) {
      const service = `${WORLD}/vms/${name}/etc/qubes-rpc/qvmremote.Queue`;
      await put(
        machine,
        service,
        `#!/bin/sh\n${IN_VM} exec /opt/vm/etc/qubes-rpc/qvmremote.Queue "$@"\n`,
      );
    }
    await machine.good("systemctl enable --now --quiet qubesd.service");
  } catch (error) {
    await machine[Symbol.asyncDispose]();
    throw error;
  }
  return Object.assign(machine, { inVm: vmShell(machine) });
}

/** Runs a script of bash in a VM, whose folder is its home; the programs are on its PATH. */
export type VmShell = (vm: string, script: string) => Promise<Finished>;

export function vmShell(dom0: Shell): VmShell {
  return (vm, script) =>
    dom0.run(`export HOME=${WORLD}/vms/${vm}/home/user ${IN_VM}; cd; ${PATIENT}; ${script}`);
}

/** dom0 may be slow to connect, above all where the processor is simulated, too. */
const PATIENT = 'qvm-remote() { command qvm-remote --connect-timeout 600 "$@"; }';

const IN_VM = "PATH=/opt/vm/usr/bin:$PATH";

export interface VmMachineOptions {
  /** Its name in the world. */
  readonly name: string;
  readonly tags?: readonly string[];
  /** The other VMs, as folders. */
  readonly others: readonly SimulatedVm[];
  /** Lines of dom0's policy. */
  readonly policy: readonly string[];
  readonly binds?: readonly Bind[];
}

/** A VM, installed as the Makefile does; the others run, each with a loopback of its own. */
export async function bootVm(
  { name, tags, others, policy, binds = [] }: VmMachineOptions,
): Promise<Machine> {
  const machine = await boot("install-vm", binds);
  try {
    await machine.good(`hostnamectl hostname ${name}`);
    const own = { name, ...(tags === undefined ? {} : { tags }) };
    await createWorld(machine, [own, ...others], "qrexec-client-vm", name);
    const path = `${WORLD}/dom0/etc/qubes/policy.d/30-user.policy`;
    await put(machine, path, policy.map((line) => `${line}\n`).join(""), "664");
    await machine.good("systemctl enable --now --quiet qubesd.service");
  } catch (error) {
    await machine[Symbol.asyncDispose]();
    throw error;
  }
  return machine;
}

/** In another VM: something answers `text` on a port of its loopback, and qrexec leads there. */
export async function serveInVm(
  machine: Machine,
  { vm, port, text }: { readonly vm: string; readonly port: number; readonly text: string },
): Promise<void> {
  const folder = `${WORLD}/vms/${vm}`;
  const mux = `${folder}/etc/qubes-rpc/openclaw.Mux+${port}`;
  await put(machine, mux, '#!/bin/sh\nexec /usr/lib/qubes-claw/openclaw.Mux "$@"\n');
  const inside = `nsenter --target $(sed -n 's/.*"agentPid":\\([0-9]*\\).*/\\1/p' ` +
    `${folder}/domain.json) --net --`;
  const server = `${CHECKOUT}/tests/e2e/stand-in-server.ts ${port} /health ${text}`;
  await machine.good(`systemd-run --quiet --unit=${vm}-${port} ${inside} \
    /usr/local/bin/deno run --quiet -A --no-config --no-lock ${server}`);
  await machine.until(`${inside} curl -sf http://127.0.0.1:${port}/health`);
}

async function boot(
  install: string | ((machine: Machine) => Promise<void>),
  binds: readonly Bind[],
): Promise<Machine> {
  const machine = await bootMachine({
    binds: [
      ...binds,
      ...["tests", "shared", "dom0/qrexec_policy"].map((name) => ({
        from: `${PROJECT}/${name}`,
        to: `${CHECKOUT}/${name}`,
      })),
      { from: Deno.execPath(), to: "/usr/local/bin/deno" },
    ],
  });
  try {
    if (typeof install === "string") await installInto(machine, install, "");
    else await install(machine);
    await machine.good("systemctl daemon-reload");
  } catch (error) {
    await machine[Symbol.asyncDispose]();
    throw error;
  }
  return machine;
}

/**
 * What was built is installed: "make dom0 vm" comes before the tests.
 *
 * @param target of the Makefile, and variables for it
 */
export async function installInto(machine: Machine, target: string, path: string): Promise<void> {
  const { code, stderr } = await new Deno.Command("make", {
    args: [
      ...["--no-print-directory", ...target.split(" "), `DESTDIR=${machine.root()}${path}`],
      `DENO=${Deno.execPath()}`,
    ],
    cwd: PROJECT,
  }).output();
  if (code !== 0) throw new Error(`make ${target}: ${new TextDecoder().decode(stderr)}`);
}

async function createWorld(
  machine: Machine,
  vms: readonly SimulatedVm[],
  client: "qrexec-client" | "qrexec-client-vm",
  ownName: string,
): Promise<void> {
  const named = vms.map(({ name, tags = [] }) => tags.length === 0 ? name : `${name}:${tags}`);
  const words = [...(ownName === "" ? [] : ["--own-networks"]), ...named];
  await put(machine, "/etc/systemd/system/qubesd.service", QUBESD, "644");
  const side = client === "qrexec-client" ? "dom0" : "vm";
  const start = `QUBES_SIM_VM=${ownName} exec ${WORLD}/bin/${side}/${client} "$@"`;
  await put(machine, `/usr/bin/${client}`, `#!/bin/bash${NEEDS_XEN}\n${start}\n`);
  // Programs of the simulation keep what they compiled where any user may.
  await machine.good(`set -e
    DENO_DIR=/tmp/qsim-deno ${SIM} create ${WORLD} ${words.join(" ")}
    chgrp qubes ${WORLD}/dom0/run/qubes
    chmod 2770 ${WORLD}/dom0/run/qubes
    systemctl daemon-reload`);
}

async function put(machine: Machine, path: string, text: string, mode = "755"): Promise<void> {
  await machine.good(`cat >${path} && chmod ${mode} ${path}`, { input: text });
}
