// SPDX-License-Identifier: GPL-2.0-or-later
/** Whose packages this VM has: for the commands that setup-vm names and does not run. @module */

export interface Distribution {
  readonly name: string;
  /** What installs packages. */
  readonly install: readonly string[];
  /** What npm is called there. */
  readonly npm: readonly string[];
  /** What ollama is called there; undefined: there is none. */
  readonly ollama?: string;
}

const DEBIAN: Distribution = {
  name: "Debian",
  install: ["apt", "install", "--no-install-recommends"],
  npm: ["npm"],
};
const FEDORA: Distribution = {
  name: "Fedora",
  install: ["dnf", "install"],
  npm: ["nodejs-npm"],
  ollama: "ollama",
};
const ARCH: Distribution = {
  name: "Arch Linux",
  install: ["pacman", "-S"],
  npm: ["npm"],
  ollama: "ollama",
};

const KNOWN: ReadonlyMap<string, Distribution> = new Map([
  ["debian", DEBIAN],
  ["ubuntu", DEBIAN],
  ["fedora", FEDORA],
  ["arch", ARCH],
]);

/** @param osRelease the text of /etc/os-release; what is not known is taken for a Fedora */
export function distributionOf(osRelease: string): Distribution {
  const words = ["ID", "ID_LIKE"].flatMap((key) =>
    new RegExp(`^${key}="?([^"\\n]*)"?$`, "m").exec(osRelease)?.[1]?.split(/\s+/) ?? []
  );
  for (const word of words) {
    const found = KNOWN.get(word);
    if (found !== undefined) return found;
  }
  return FEDORA; // what Qubes installs by default
}
