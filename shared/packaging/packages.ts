// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The packages: which parts of the table of programs each of them holds. What a package needs and
 * says of itself stands in rpm/, debian/ and arch/, where packagers look for it; a test compares.
 *
 * dom0 is a Fedora, so its packages are rpm only. A template may be a Fedora, a Debian or an Arch.
 *
 * @module
 */

import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import type { Part, Side } from "./programs.ts";

export interface Package {
  readonly name: string;
  /** null: for both. */
  readonly side: Side | null;
  readonly parts: readonly Part[];
  /** What belongs to no program. */
  readonly files?: readonly PackageFile[];
}

/** A file of a package alone: "make install-*" does not put it anywhere. */
export interface PackageFile {
  /** Below shared/packaging. */
  readonly source: string;
  readonly target: string;
  /** People edit it: an upgrade keeps what they wrote. */
  readonly isEdited?: true;
}

const FORMULA = "/srv/formulas/base/qubes-claw-formula/qubes-claw";

const STATES = ["init", "template", "sender", "agent", "key-qube", "client"];

/** Where qubes-mgmt-salt looks for the formulas of packages. */
const SALT_FILES: readonly PackageFile[] = [
  ...[...STATES.map((name) => `${name}.sls`), "init.top", "pillar.jinja"]
    .map((name): PackageFile => ({
      source: `salt/qubes-claw/${name}`,
      target: `${FORMULA}/${name}`,
    })),
  ...["dom0.sls", "vms.sls", "init.top"].map((name): PackageFile => ({
    source: `salt/pillar/${name}`,
    target: `/srv/pillar/base/qubes-claw/${name}`,
    isEdited: true,
  })),
  {
    source: "salt/formula-qubes-claw.conf",
    target: "/etc/salt/minion.d/formula-qubes-claw.conf",
    isEdited: true,
  },
];

export const PACKAGES: readonly Package[] = [
  { name: "qubes-claw-runtime", side: null, parts: [] },
  // Its launcher starts the binary of the next package if that is there, else the script.
  { name: "qvm-remote-dom0", side: "dom0", parts: ["daemon"] },
  { name: "qvm-remote-dom0-compiled", side: "dom0", parts: [] },
  { name: "qubes-claw-dom0", side: "dom0", parts: ["tunnel", "setup"] },
  { name: "qubes-global-admin-web", side: "dom0", parts: ["admin"] },
  { name: "qubes-claw-salt", side: "dom0", parts: [], files: SALT_FILES },
  { name: "qvm-remote", side: "vm", parts: ["client"] },
  {
    name: "qubes-claw-vm",
    side: "vm",
    parts: ["tunnel", "keyqube", "ports", "proxy", "setup", "ctl"],
  },
];

/** What is installed but belongs to "make install-*" alone: its list of files, what it says. */
const NOT_PACKAGED = ["list", "say", "kept"];

/** The lines of an install list (install_list.ts) that a package holds. */
export function packageList(
  { name, side, parts, files }: Package,
  { folder, deno, lists }: {
    readonly folder: string;
    readonly deno: string;
    readonly lists: Readonly<Record<Side, string>>;
  },
): string {
  if (side === null) return `runtime file 0755 ${deno} @LIBDIR@/deno\n`;
  if (name.endsWith("-compiled")) {
    const binary = `${name.slice(0, -"-compiled".length)}.bin`;
    return `compiled file 0755 ${folder}/${side}/${binary} @LIBDIR@/${binary}\n`;
  }
  if (files !== undefined) {
    return files.map(({ source, target, isEdited = false }) =>
      `salt ${isEdited ? "edited" : "file"} 0644 shared/packaging/${source} ${target}\n`
    ).join("");
  }
  const lines = lists[side].trimEnd().split("\n").filter((line) => {
    const [part, kind = ""] = line.split(" ");
    return parts.some((one) => one === part) && !NOT_PACKAGED.includes(kind);
  });
  return `${lines.join("\n")}\n`;
}

/** Folders of the Makefile as an rpm spec calls them. */
const RPM_FOLDERS: Readonly<Record<string, string>> = {
  BINDIR: "%{_bindir}",
  LIBDIR: "%{_prefix}/lib/qubes-claw",
  RPCDIR: "%{_sysconfdir}/qubes-rpc",
  ETCDIR: "%{_sysconfdir}/qubes",
  UNITDIR: "%{_unitdir}",
  USERUNITDIR: "%{_userunitdir}",
  MANDIR: "%{_mandir}",
  COMPLETIONS: "%{_datadir}/bash-completion/completions",
  SHAREDIR: "%{_datadir}/qubes-claw",
  APPLICATIONS: "%{_datadir}/applications",
  ICONS: "%{_datadir}/icons/hicolor/scalable/apps",
  POLICYDIR: "%{_datadir}/qubes-claw/policies",
};
const OWN_FOLDER = /\/qubes-claw(-formula)?(\/|$)/;

/** What "%files -f" reads. Folders that belong to Qubes or to the system are in no package. */
export function rpmFiles(list: string): string {
  const lines = list.trimEnd().split("\n").flatMap((line) => rpmLines(line.split(" ")))
    .map((line) => line.replace(/@([A-Z]+)@/, (whole, name) => RPM_FOLDERS[name] ?? whole));
  const folders = lines.flatMap((line) => ownFolders(line.split(" ").at(-1) ?? ""));
  return [...new Set([...folders.map((folder) => `%dir ${folder}`), ...lines, ""])].join("\n");
}

function rpmLines(words: readonly string[]): readonly string[] {
  const [, kind, mode, source = "", target = "", into] = words;
  switch (kind) {
    case "program": {
      const name = basename(source);
      return [`${into}/${name}`, `${target}/${name}.js`];
    }
    case "edited": {
      // As Qubes has its own: the group may change policy.
      const group = target.endsWith(".policy") ? "qubes" : "root";
      return [`%config(noreplace) %attr(${mode},root,${group}) ${target}`];
    }
    case "folder":
      return [`%dir %attr(${mode},root,root) ${target}`];
    default:
      return [target.startsWith("@MANDIR@") ? `${target}*` : target]; // rpm packs manual pages
  }
}

/** The project's own folders above a file. */
function ownFolders(path: string): readonly string[] {
  const folder = dirname(path);
  return OWN_FOLDER.test(folder) ? [...ownFolders(folder), folder] : [];
}
