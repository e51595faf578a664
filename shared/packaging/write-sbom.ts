// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Prints what a release is made of (sbom.ts).
 *
 *     write-sbom.ts VERSION DENO_VERSION SOURCE VENDOR_FOLDER
 *
 * SOURCE is the archive of this code, VENDOR_FOLDER what write-vendor made. The date is that of
 * SOURCE_DATE_EPOCH.
 *
 * @module
 */

import { basename } from "@std/path/posix/basename";
import { dirname } from "@std/path/posix/dirname";
import { type SbomPart, spdxDocument } from "./sbom.ts";

const LISTS = ["vm/openclaw/openclaw/package-lock.json", "vm/openclaw/node/package-lock.json"];

async function sha256(path: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return new Uint8Array(digest).toHex();
}

/** The files below a folder that are programs: Deno keeps esbuild under a name with its version. */
function filesBelow(folder: string): readonly string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${folder}/${name}`) : [`${folder}/${name}`]
  );
}

/** The packages of npm that are in scripts: the others in deno.lock are for tests. */
const IN_SCRIPTS: readonly Pick<SbomPart, "name" | "license" | "about">[] = [
  {
    name: "deno-std",
    license: "MIT",
    about: "of it, the modules that shared/std.d.ts declares are in the scripts",
  },
  {
    name: "@modelcontextprotocol/server",
    license: "Apache-2.0 AND MIT",
    about: "in qvm-remote-mcp, with ajv (MIT) inside",
  },
  {
    name: "@modelcontextprotocol/core",
    license: "Apache-2.0 AND MIT",
    about: "in qvm-remote-mcp",
  },
  { name: "zod", license: "MIT", about: "in qvm-remote-mcp" },
];

/** @param lock the text of deno.lock @throws {Error} if one of them is not in it */
export function partsInScripts(lock: string): readonly SbomPart[] {
  const npm: Readonly<Record<string, { readonly integrity: string }>> = JSON.parse(lock).npm;
  return IN_SCRIPTS.map((part) => {
    const [found] = Object.entries(npm).filter(([key]) => key.startsWith(`${part.name}@`));
    if (found === undefined) throw new Error(`deno.lock has no ${part.name}`);
    const [key, { integrity }] = found;
    const version = key.slice(part.name.length + 1);
    return { ...part, version, integrity, sha256: null, role: "installed" };
  });
}

async function vendored(vendor: string, denoVersion: string): Promise<readonly SbomPart[]> {
  const builders = [`${vendor}/cache/dl`, `${vendor}/compile`].flatMap((folder) =>
    isFolder(folder) ? filesBelow(folder) : []
  );
  return [
    {
      name: "deno",
      version: denoVersion,
      license: "MIT",
      sha256: await sha256(`${vendor}/deno`),
      role: "installed",
      about: "runs every program that is a script; built elsewhere",
    },
    ...partsInScripts(await Deno.readTextFile("deno.lock")),
    ...await Promise.all(builders.map(async (path): Promise<SbomPart> => ({
      name: basename(path) === "deno" ? "deno-compile" : basename(path),
      version: /-([0-9.]+)-\d+$/.exec(dirname(path))?.[1] ?? "NOASSERTION",
      license: "MIT",
      sha256: await sha256(path),
      role: basename(path) === "denort" ? "installed" : "build",
      about: basename(path) === "denort"
        ? "the runtime in the compiled daemon; built elsewhere"
        : "used by the build only; built elsewhere",
    }))),
  ];
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

if (import.meta.main) {
  const [version = "", denoVersion = "", source = "", vendor = ""] = Deno.args;
  const lists = await Promise.all(LISTS.map(async (path): Promise<SbomPart> => ({
    name: path,
    version,
    license: "NOASSERTION",
    sha256: await sha256(path),
    role: "list",
    about:
      "what setup-vm installs in an agent VM, by the hashes in it; nothing of it is in a package",
  })));
  const document = spdxDocument({
    version,
    createdMs: Number(Deno.env.get("SOURCE_DATE_EPOCH")) * 1000,
    sourceSha256: await sha256(source),
    parts: [...await vendored(vendor, denoVersion), ...lists],
  });
  await Deno.stdout.write(new TextEncoder().encode(document));
}
