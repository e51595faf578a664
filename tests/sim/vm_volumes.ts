// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What a VM keeps over a restart, and what its boot does with that.
 *
 * An AppVM whose `template` names a VM of the world has a root volume copied from it at each
 * start; a VM without one keeps everything, as a StandaloneVM or a
 * template does. /run is empty for all. The private volume is never touched: rw/, home/ and
 * usr/local/ (in Qubes the two are mounted from /rw).
 *
 * Then what qubes-core-agent-linux does at boot, in its order: bind-dirs (binds+=() in *.conf of
 * three folders), systemd-tmpfiles ("d" and "L" lines); and once the agent is there,
 * rc.local.d/*.rc and rc.local, if they are executable. A bind mount is a link here.
 *
 * @module
 */
import { vmEnvironment } from "./environment.ts";
import { appendLog, isGone, readTextIfAny } from "./files.ts";
import { vmPaths } from "./layout.ts";
import { findVm, readWorld } from "./world_config.ts";

/** Parts of a root volume that there are in this simulation. */
const ROOT_PARTS = ["etc", "var", "usr"] as const;
/** On the private volume, though it lies in a part of the root volume. */
const PRIVATE_PART = "usr/local";
const BIND_FOLDERS = [
  "usr/lib/qubes-bind-dirs.d",
  "etc/qubes-bind-dirs.d",
  "rw/config/qubes-bind-dirs.d",
] as const;

/** The volumes as they are when the VM has mounted them. */
export async function mountVolumes(folder: string, vm: string): Promise<void> {
  const { root, serviceDirs, rpcConfigDirs } = vmPaths(folder, vm);
  const world = readWorld(folder);
  const config = findVm(world, vm);
  const isTemplateBased = config?.klass === "AppVM" || config?.klass === "DispVM";
  const template = isTemplateBased ? findVm(world, config.prefs["template"] ?? "") : undefined;
  if (template !== undefined) await resetRoot(vmPaths(folder, template.name).root, root);
  await remove(`${root}/run`);
  const folders = [...serviceDirs, ...rpcConfigDirs, `${root}/rw/config`, `${root}/rw/bind-dirs`];
  for (const path of folders) await Deno.mkdir(path, { recursive: true });
  await makeServiceFlags(`${root}/run/qubes-service`, config?.features ?? {});
  if (template !== undefined) await bindDirs(root);
  await makeTmpfiles(root);
}

/** What runs late in the boot. A script that fails is logged, as systemd would. */
export async function runRcLocal(folder: string, vm: string): Promise<void> {
  const { root, log } = vmPaths(folder, vm);
  const config = `${root}/rw/config`;
  const early = filesIn(`${config}/rc.local.d`, ".rc").map((name) => `rc.local.d/${name}`);
  for (const script of [...early, "rc.local"].map((name) => `${config}/${name}`)) {
    if (((find(Deno.statSync, script)?.mode ?? 0) & 0o100) === 0) continue;
    const { success, stderr } = await new Deno.Command(script, {
      clearEnv: true,
      env: { ...vmEnvironment(folder, readWorld(folder), vm, "root"), QUBES_CLAW_ROOT: root },
      stdin: "null",
      stdout: "null",
    }).output();
    if (!success) appendLog(log, "misc-post.sh", `${script}: ${new TextDecoder().decode(stderr)}`);
  }
}

/** What "qvm-service" turned on: qubes-sysinit makes a file of each. */
async function makeServiceFlags(
  dir: string,
  features: Readonly<Record<string, string>>,
): Promise<void> {
  await Deno.mkdir(dir, { recursive: true });
  for (const [feature, value] of Object.entries(features)) {
    if (!feature.startsWith("service.") || value === "") continue;
    await Deno.writeTextFile(`${dir}/${feature.slice("service.".length)}`, "");
  }
}

async function resetRoot(template: string, root: string): Promise<void> {
  const aside = `${root}/usr-local`;
  await Deno.mkdir(`${root}/${PRIVATE_PART}`, { recursive: true });
  await Deno.rename(`${root}/${PRIVATE_PART}`, aside);
  for (const part of ROOT_PARTS) {
    await remove(`${root}/${part}`);
    if (find(Deno.statSync, `${template}/${part}`) === undefined) continue;
    await run("cp", ["-a", "--", `${template}/${part}`, `${root}/${part}`]);
  }
  await remove(`${root}/${PRIVATE_PART}`); // the template's own
  await Deno.mkdir(`${root}/usr`, { recursive: true });
  await Deno.rename(aside, `${root}/${PRIVATE_PART}`);
}

async function bindDirs(root: string): Promise<void> {
  for (const path of await bindEntries(root)) {
    const shown = `${root}${path}`;
    const kept = `${root}/rw/bind-dirs${path}`;
    if (find(Deno.statSync, kept) === undefined) {
      if (find(Deno.statSync, shown) === undefined) continue; // neither there nor here
      await Deno.mkdir(kept.slice(0, kept.lastIndexOf("/")), { recursive: true });
      await run("cp", ["-a", "--", shown, kept]);
    }
    await remove(shown);
    await Deno.mkdir(shown.slice(0, shown.lastIndexOf("/")), { recursive: true });
    await Deno.symlink(kept, shown);
  }
}

/** The files are bash, and bash reads them. */
async function bindEntries(root: string): Promise<readonly string[]> {
  const files = BIND_FOLDERS.flatMap((dir) =>
    filesIn(`${root}/${dir}`, ".conf").map((name) => `${root}/${dir}/${name}`)
  );
  if (files.length === 0) return [];
  const script = 'binds=(); for f; do source "$f"; done; printf "%s\\n" "${binds[@]}"';
  const text = await run("bash", ["-ec", script, "bash", ...files]);
  return text.split("\n").filter((path) => path.startsWith("/"));
}

/** The lines of tmpfiles.d(5) that are in use: "d", and "L", which leaves alone what is there. */
async function makeTmpfiles(root: string): Promise<void> {
  for (const name of filesIn(`${root}/etc/tmpfiles.d`, ".conf")) {
    const text = readTextIfAny(`${root}/etc/tmpfiles.d/${name}`) ?? "";
    for (const line of text.split("\n")) {
      const [type, path = "", , , , , target = ""] = line.trim().split(/\s+/);
      if (type === "d") await Deno.mkdir(`${root}${path}`, { recursive: true });
      if (type === "L" && find(Deno.lstatSync, `${root}${path}`) === undefined) {
        await Deno.symlink(`${root}${target}`, `${root}${path}`);
      }
    }
  }
}

async function run(program: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${program}: ${text.decode(stderr)}`);
  return text.decode(stdout);
}

async function remove(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!isGone(error)) throw error;
  });
}

function filesIn(dir: string, suffix: string): string[] {
  if (find(Deno.statSync, dir) === undefined) return [];
  return [...Deno.readDirSync(dir)].map(({ name }) => name).filter((name) => name.endsWith(suffix))
    .sort();
}

function find(stat: (path: string) => Deno.FileInfo, path: string): Deno.FileInfo | undefined {
  try {
    return stat(path);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
