// SPDX-License-Identifier: GPL-2.0-or-later
/** The Debian that test machines boot, built once from packages. @module */

import { PROJECT } from "../e2e/program_flags.ts";

const HERE = new URL(".", import.meta.url).pathname;

/** Beside a minimal Debian. The kernel is for QEMU; in namespaces nobody looks at it. */
const PACKAGES = [
  ...["systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "libnss-systemd"],
  ...["udev", "kmod", "iproute2", "nftables", "procps", "sudo", "socat", "make", "curl"],
  "rpm", // for the packages of dom0, which is a Fedora
  "linux-image-cloud-amd64",
] as const;

/** Builds take a minute: `QUBES_CLAW_MACHINE` names a folder that several checkouts share. */
const CACHE = Deno.env.get("QUBES_CLAW_MACHINE") ?? `${PROJECT}/.cache/machine`;

/** @returns the folder with the root file system; nobody may write into it */
export async function machineRoot(): Promise<string> {
  if (Deno.uid() !== 0) throw new Error("a test machine needs root: namespaces, mounts, a cgroup");
  const root = `${CACHE}/${await keyOf([PACKAGES.join(" "), await recipe()])}`;
  await Deno.mkdir(CACHE, { recursive: true });
  using lock = await Deno.open(`${CACHE}/lock`, { create: true, write: true });
  await lock.lock(true);
  if (await isFolder(root)) return root;
  console.log(`building the Debian of the test machines in ${root} (once)`);
  const started = `${root}.new`;
  await Deno.remove(started, { recursive: true }).catch(ignoreNotFound);
  const { code, stderr } = await new Deno.Command(`${HERE}/build-root`, {
    args: [started, ...PACKAGES],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (code !== 0) throw new Error(`build-root failed: ${new TextDecoder().decode(stderr)}`);
  await Deno.rename(started, root);
  return root;
}

/** What it is made from: build-root, and each file below files/. */
async function recipe(): Promise<string> {
  const texts = [await Deno.readTextFile(`${HERE}/build-root`)];
  const read = async (folder: string): Promise<void> => {
    const entries = [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1);
    for (const { name, isDirectory } of entries) {
      const path = `${folder}/${name}`;
      if (isDirectory) await read(path);
      else texts.push(path.slice(HERE.length), await Deno.readTextFile(path));
    }
  };
  await read(`${HERE}files`);
  return texts.join("\n");
}

async function keyOf(texts: readonly string[]): Promise<string> {
  const bytes = new TextEncoder().encode(texts.join("\n\n"));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function isFolder(path: string): Promise<boolean> {
  return await Deno.stat(path).then(({ isDirectory }) => isDirectory, () => false);
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
