// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The things that setup-vm changes, as data. A fact is one place that has one value; null is "as
 * if nobody had set it". From a fact and two values follow the commands that lead from one to the
 * other, so doing and undoing are the same function. Files of the user's are written by this
 * program itself; for people they are shown as commands too.
 *
 * @module
 */

import { dirname } from "@std/path/posix/dirname";
import type { WantedOf } from "../../shared/setup/engine.ts";
import type { RecordKind, Value } from "../../shared/setup/record.ts";
import { recordFile } from "../../shared/setup/record.ts";
import type { Command } from "../../shared/setup/tools.ts";

export type Manager = "user" | "system";

export type Fact =
  /** The value of a private folder is its mode; of another, that it is there. */
  | { readonly kind: "folder"; readonly path: string; readonly private: boolean }
  /** A file whose text is ours: the value is the text. */
  | { readonly kind: "file"; readonly path: string; readonly root: boolean }
  /** A file that is the user's once it is there: never overwritten, and not taken back unasked. */
  | { readonly kind: "kept"; readonly path: string }
  /** One setting of openclaw.json, as "a.b.c"; the value is JSON. */
  | { readonly kind: "setting"; readonly path: string; readonly key: string }
  /** Programs from the registry; the value is the hash of the list they were installed from. */
  | {
    readonly kind: "packages";
    readonly name: PackageList;
    readonly prefix: string;
    readonly root: boolean;
    /** The folder with package.json and package-lock.json. */
    readonly source: string;
    /** More words for npm. */
    readonly options: string;
  }
  /** The whitelist of openclaw-ports: the ports in their order as texts, or "--per-vm PORT". */
  | { readonly kind: "ports" }
  | { readonly kind: "linger"; readonly user: string }
  | { readonly kind: "enabled"; readonly unit: string; readonly manager: Manager }
  | { readonly kind: "active"; readonly unit: string; readonly manager: Manager };

export type PackageList = "openclaw" | "node";

/** The mode of a folder with secrets in it. */
export const PRIVATE = "0700";
/** In a key qube the proxy learns which VM calls. */
export const PER_VM = "--per-vm";
/** The value of facts that only exist or do not. */
export const YES = "yes";

export type Wanted = WantedOf<Fact>;

/** Names the place, whatever its value. */
export function factKey(fact: Fact): string {
  switch (fact.kind) {
    case "folder":
    case "file":
    case "kept":
      return `${fact.kind} ${fact.path}`;
    case "setting":
      return `setting ${fact.key}`;
    case "packages":
      return `packages ${fact.name} ${fact.prefix}`;
    case "ports":
      return "ports";
    case "linger":
      return `linger ${fact.user}`;
    default:
      return `${fact.kind} ${fact.manager} ${fact.unit}`;
  }
}

const KINDS: readonly Fact["kind"][] = [
  "folder",
  "file",
  "kept",
  "setting",
  "packages",
  "ports",
  "linger",
  "enabled",
  "active",
];

const RECORD: RecordKind<Fact> = {
  program: "setup-vm",
  keyOf: factKey,
  check(fact) {
    if (!KINDS.some((kind) => kind === fact["kind"])) throw new Error("an unknown kind of fact");
    for (const name of ["path", "prefix", "source"]) {
      const path = fact[name];
      if (path !== undefined && !(typeof path === "string" && path.startsWith("/"))) {
        throw new Error("a path that is none");
      }
    }
  },
};
export const record = recordFile<Fact>(RECORD);

/** Whether only root can change it. */
export function needsRoot(fact: Fact): boolean {
  switch (fact.kind) {
    case "file":
    case "packages":
      return fact.root;
    case "ports":
    case "linger":
      return true;
    case "enabled":
    case "active":
      return fact.manager === "system";
    default:
      return false;
  }
}

/** The copy of the list that is written last: without it, or with another, nothing is complete. */
export const stampOf = (prefix: string, name: PackageList): string =>
  `${prefix}/${name}/installed-package-lock.json`;

/** What a person would type; for files of the user's, shown and not run. */
export function commandsFor(fact: Fact, to: Value): readonly Command[] {
  const as = needsRoot(fact) ? ROOT : [];
  switch (fact.kind) {
    case "folder":
      return [
        to === null
          ? run("rmdir", "--", fact.path)
          : run("install", "-d", "-m", to === YES ? PRIVATE : to, "--", fact.path),
      ];
    case "file":
      return to === null ? [words(as, "rm", "-f", "--", fact.path)] : rootFile(as, fact.path, to);
    case "kept":
      return [to === null ? run("rm", "--", fact.path) : run("touch", fact.path)];
    case "setting":
      return [
        to === null
          ? run("openclaw", "config", "unset", fact.key)
          : run("openclaw", "config", "set", fact.key, to, "--strict-json"),
      ];
    case "packages":
      return to === null
        ? [words(as, "rm", "-rf", "--", `${fact.prefix}/${fact.name}`), ...unlink(as, fact)]
        : installPackages(as, fact);
    case "ports":
      return [
        to === null
          ? words(as, "openclaw-ports", "remove")
          : words(as, "openclaw-ports", "install", ...to.split(" ")),
      ];
    case "linger":
      return [words(as, "loginctl", to === null ? "disable-linger" : "enable-linger", fact.user)];
    case "enabled":
      return [systemctl(fact.manager, to === null ? "disable" : "enable", fact.unit)];
    case "active":
      return [systemctl(fact.manager, to === null ? "stop" : "start", fact.unit)];
  }
}

/** Qubes VMs let their user become root without a password; -n fails where one does not. */
const ROOT = ["sudo", "-n"] as const;

export function systemctl(manager: Manager, ...args: readonly string[]): Command {
  return manager === "user"
    ? run("systemctl", "--user", ...args)
    : words(ROOT, "systemctl", ...args);
}

function rootFile(as: readonly string[], path: string, text: string): readonly Command[] {
  return [
    words(as, "mkdir", "-p", "--", dirname(path)),
    { ...words(as, "tee", "--", path), input: text },
    words(as, "chmod", "0644", "--", path),
  ];
}

type Packages = Fact & { kind: "packages" };

/**
 * npm takes exactly what the list names, each package checked by its hash, and runs none of their
 * install scripts: what OpenClaw and Node need comes in the packages themselves.
 */
function installPackages(as: readonly string[], fact: Packages): readonly Command[] {
  const { prefix, name, source } = fact;
  const folder = `${prefix}/${name}`;
  const lists = ["package.json", "package-lock.json"];
  // A user's cache is of use to the user; root's would lie about in every VM of a template.
  const cache = fact.root ? [`--cache=${folder}/npm-cache`] : [];
  const more = fact.options === "" ? [] : fact.options.split(" ");
  return [
    words(as, "mkdir", "-p", "--", folder, `${prefix}/bin`),
    words(as, "rm", "-f", "--", stampOf(prefix, name)),
    ...lists.map((list) =>
      words(as, "install", "-m", "0644", "--", `${source}/${list}`, `${folder}/${list}`)
    ),
    words(as, "npm", "ci", "--prefix", folder, ...NPM_OPTIONS, ...more, ...cache),
    ...(fact.root ? [words(as, "rm", "-rf", "--", `${folder}/npm-cache`)] : []),
    ...link(as, fact),
    // npm silently leaves out optional packages: running the program shows whether it is complete.
    run(`${prefix}/bin/${name}`, "--version"),
    words(as, "install", "-m", "0644", "--", `${source}/package-lock.json`, stampOf(prefix, name)),
  ];
}

const NPM_OPTIONS = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];

/** What PREFIX/bin gets. */
function link(as: readonly string[], { prefix, name, source }: Packages): readonly Command[] {
  return name === "openclaw"
    ? [words(as, "install", "-m", "0755", "--", `${source}/launcher`, `${prefix}/bin/openclaw`)]
    : [words(as, "ln", "-sfn", "--", NODE_IN_PACKAGE, `${prefix}/bin/node`)];
}

const ARCHITECTURE = Deno.build.arch === "aarch64" ? "arm64" : "x64";
const NODE_IN_PACKAGE = `../node/node_modules/node-linux-${ARCHITECTURE}/bin/node`;

function unlink(as: readonly string[], { prefix, name }: Packages): readonly Command[] {
  return [words(as, "rm", "-f", "--", `${prefix}/bin/${name}`)];
}

export function run(program: string, ...args: readonly string[]): Command {
  return { argv: [program, ...args] };
}

function words(as: readonly string[], ...argv: readonly string[]): Command {
  const [program = "", ...args] = [...as, ...argv];
  return { argv: [program, ...args] };
}
