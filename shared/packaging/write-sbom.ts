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

async function vendored(vendor: string, denoVersion: string): Promise<readonly SbomPart[]> {
  const { npm } = JSON.parse(await Deno.readTextFile("deno.lock"));
  const [[std = "", pinned] = []] = Object.entries(npm).filter(([name]) =>
    name.startsWith("deno-std@")
  );
  const { integrity } = pinned as { readonly integrity: string };
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
    {
      name: "deno-std",
      version: std.slice("deno-std@".length),
      license: "MIT",
      sha256: null,
      integrity,
      role: "installed",
      about: "of it, the modules that shared/std.d.ts declares are in the scripts",
    },
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
