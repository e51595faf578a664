// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Which files make the whitelist, and where. The agent looks for "service+argument" in all its
 * folders and then for "service" in all of them, /usr/local/etc/qubes-rpc before
 * /etc/qubes-rpc: a port that has a file of its own is served by it, every other one meets the
 * general file that is found first.
 *
 * - AppVM: all in /usr/local, which is on its own volume. Nothing else of the rpc folders stays.
 * - StandaloneVM: ports in /etc/qubes-rpc. The refusal goes to /usr/local/etc/qubes-rpc, because
 *   /etc/qubes-rpc/qubes.ConnectTCP belongs to the package of the distribution, and an update
 *   would bring that back, and with it every port.
 * - Template: ports in /etc/qubes-rpc, the one of the two folders that its VMs inherit. The
 *   refusal cannot go there (the same package), so systemd-tmpfiles, which runs after /usr/local
 *   is mounted and before the agent starts, links it into each VM's own /usr/local: into one
 *   that has no file of that name already, and as a link that leads nowhere, and so is passed
 *   over, once the template has the refusal no more.
 *
 * No rpc-config is written: the one of the distribution's qubes.ConnectTCP counts for
 * qubes.ConnectTCP+PORT too, and is there from the first boot.
 *
 * @module
 */

import type { TcpPort } from "../../shared/io/tcp_port.ts";
import { MARK, PER_VM_SCRIPT, portScript, REFUSAL_SCRIPT } from "./refusal_script.ts";
import type { VmKind } from "./vm_kind.ts";

/**
 * Served by the agent itself, or by a small script of ours (agents before 4.2.19); or, in the key
 * qube, by what tells openclaw-proxy which VM calls.
 */
export type Form = "link" | "script" | "per-vm";

/** A path is absolute, without the root that tests put in front. */
export type FilePlan =
  | { readonly path: string; readonly linkTo: string }
  | { readonly path: string; readonly text: string; readonly mode: number };

export interface Plan {
  /** In the order in which they are written: the refusal comes before the ports. */
  readonly files: readonly FilePlan[];
  /** Where files of ports that are no longer wanted may lie. */
  readonly portFolder: string;
}

export const CONNECT = "qubes.ConnectTCP";
export const MUX = "openclaw.Mux";
export const SERVICES = [CONNECT, MUX] as const;
export type Service = typeof SERVICES[number];

/**
 * The host only: the agent takes the port from the argument, which is the PORT of the file's own
 * name. A link that names the port as well is refused, because then it is given twice
 * ("Unexpected argument", libqrexec/exec.c).
 */
export const TCP_LINK = "/dev/tcp/127.0.0.1";

export const LOCAL_FOLDER = "/usr/local/etc/qubes-rpc";
export const SYSTEM_FOLDER = "/etc/qubes-rpc";
/** In the agent's order. The first exists from Qubes 4.3 on. */
export const RPC_FOLDERS = ["/run/qubes-rpc", LOCAL_FOLDER, SYSTEM_FOLDER] as const;

export const MUX_PROGRAM = "/usr/lib/qubes-claw/openclaw.Mux";
export const PER_VM_PROGRAM = "/usr/lib/qubes-claw/openclaw.MuxPerVm";
export const TEMPLATE_REFUSAL = "/etc/qubes/openclaw-refuse-port";
export const TMPFILES = "/etc/tmpfiles.d/openclaw-ports.conf";

export function planFiles(kind: VmKind, form: Form, ports: readonly TcpPort[]): Plan {
  const portFolder = portFolderOf(kind);
  const refusals: readonly FilePlan[] = kind === "template"
    ? [
      { path: TEMPLATE_REFUSAL, text: REFUSAL_SCRIPT, mode: 0o755 },
      { path: TMPFILES, text: TMPFILES_TEXT, mode: 0o644 },
    ]
    : SERVICES.map((name) => ({
      path: `${LOCAL_FOLDER}/${name}`,
      text: REFUSAL_SCRIPT,
      mode: 0o755,
    }));
  const open = ports.flatMap((port): FilePlan[] => [
    connectFile(`${portFolder}/${CONNECT}+${port}`, form, port),
    {
      path: `${portFolder}/${MUX}+${port}`,
      linkTo: relativeLink(portFolder, form === "per-vm" ? PER_VM_PROGRAM : MUX_PROGRAM),
    },
  ]);
  return { files: [...refusals, ...open], portFolder };
}

function connectFile(path: string, form: Form, port: TcpPort): FilePlan {
  if (form === "link") return { path, linkTo: TCP_LINK };
  return { path, text: form === "per-vm" ? PER_VM_SCRIPT : portScript(port), mode: 0o755 };
}

export function portFolderOf(kind: VmKind): string {
  return kind === "app" ? LOCAL_FOLDER : SYSTEM_FOLDER;
}

/** "L" leaves alone what is there. */
const TMPFILES_TEXT = [
  MARK,
  "# In each VM of this template, ports outside the whitelist are refused.",
  `d ${LOCAL_FOLDER} 0755 root root -`,
  ...SERVICES.map((name) => `L ${LOCAL_FOLDER}/${name} - - - - ${TEMPLATE_REFUSAL}`),
].join("\n") + "\n";

/** A link that stays right wherever the tree is looked at from. */
function relativeLink(folder: string, target: string): string {
  return "../".repeat(folder.split("/").length - 1) + target.slice(1);
}

/** The service and the port of a file's name; null for any other name. */
export function parsePortFile(name: string): { service: Service; untrustedPort: string } | null {
  for (const service of SERVICES) {
    if (name.startsWith(`${service}+`)) {
      return { service, untrustedPort: name.slice(service.length + 1) };
    }
  }
  return null;
}
