// SPDX-License-Identifier: GPL-2.0-or-later
/** A VM in a folder: its HOME, its key, and the two programs as they run when installed. @module */

export { until } from "../../until.ts";
import { until } from "../../until.ts";
import { shellQuote } from "../../../shared/protocol/command.ts";
import { type AuthKey, makeAuthKeyText, parseAuthKey } from "../../../shared/protocol/auth_key.ts";
import { type Layout, layoutOf, prepareFolders } from "../../../vm/remote/files/layout.ts";
import { writeKey } from "../../../vm/remote/files/key_file.ts";

export const VM_NAME = "work";
const ROOT = new URL("../../../", import.meta.url).pathname;
/** HOME is another one for the programs, Deno's cache is not. */
const DENO_DIR = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;

export interface Vm {
  readonly home: string;
  readonly layout: Layout;
  readonly key: AuthKey;
  remove(): Promise<void>;
}

/** A new VM. */
export async function createVm(options: VmOptions = {}): Promise<Vm> {
  const { named = true, memoryBytes } = options;
  const home = await Deno.makeTempDir({ prefix: "qvm-remote-vm-" });
  if (memoryBytes !== undefined) {
    await system("mount", "-t", "tmpfs", "-o", `size=${memoryBytes}`, "tmpfs", home);
  }
  const layout = layoutOf(home);
  const text = makeAuthKeyText();
  await writeKey(layout, text);
  await prepareFolders(layout);
  if (named) await Deno.writeTextFile(layout.name, `${VM_NAME}\n`);
  return {
    home,
    layout,
    key: await parseAuthKey(text),
    async remove() {
      if (memoryBytes !== undefined) await system("umount", "-l", home);
      await until("nothing writes into the home any more", () => isRemoved(home));
    },
  };
}

/** What outlives its test by a moment may put a file into a folder while it is being emptied. */
async function isRemoved(folder: string): Promise<boolean> {
  try {
    await Deno.remove(folder, { recursive: true });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOTEMPTY") return false;
    throw error;
  }
}

/**
 * A test with a VM of its own. What it starts may outlive it by a moment (an alarm cannot be
 * stopped, a killed process is reaped later), so Deno's count of open things does not apply.
 */
export function vmTest(name: string, run: (vm: Vm) => Promise<void>, options?: VmOptions): void {
  Deno.test({
    name,
    ignore: options?.memoryBytes !== undefined && Deno.uid() !== 0,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const vm = await createVm(options);
      try {
        await run(vm);
      } finally {
        await vm.remove();
      }
    },
  });
}

export interface VmOptions {
  /** Whether dom0 has connected to it before. */
  readonly named?: boolean;
  /** Gives HOME a file system of its own of that size, in memory. Only root can. */
  readonly memoryBytes?: number;
}

async function system(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
}

/** The permissions that the programs have when installed, and no more. */
function flags(home: string, env: string, read = ""): readonly string[] {
  return [
    "run",
    "--quiet",
    "--no-prompt",
    "--no-lock",
    `--allow-read${read}`,
    `--allow-write=${ownFolders(home)}`,
    `--allow-env=${env}`,
    "--allow-sys=uid",
  ];
}

const ownFolders = (home: string): string => `${home}/.qvm-remote,${home}/.qubes-remote`;

/** The client, not yet started. */
export function client(
  { home }: Pick<Vm, "home">,
  args: readonly string[],
  options: Partial<Deno.CommandOptions> = {},
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: clientArgs(home, args),
    env: { HOME: home, DENO_DIR },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...options,
  });
}

/** dom0 may be slow to connect where all tests run at once; a test that gives the option means it. */
function patient(args: readonly string[]): readonly string[] {
  return args.includes("--connect-timeout") ? args : ["--connect-timeout", "600", ...args];
}

function clientArgs(home: string, args: readonly string[]): string[] {
  const own = flags(home, "HOME,NO_COLOR,QVM_REMOTE_STDIN");
  const run = "--allow-run=/usr/bin/python3,/usr/bin/perl";
  return [...own, run, `${ROOT}vm/qvm-remote.ts`, ...patient(args)];
}

/**
 * Runs the client in a terminal of its own.
 *
 * @param redirect as bash takes it: what of its output goes elsewhere
 * @returns what the terminal was sent; its line ends are CR LF
 */
export async function runInTerminal(
  { home }: Pick<Vm, "home">,
  args: readonly string[],
  redirect = "",
): Promise<string> {
  const line = `${shellQuote([Deno.execPath(), ...clientArgs(home, args)])} ${redirect}`;
  const { stdout } = await new Deno.Command("script", {
    args: ["-qefc", line, "/dev/null"],
    env: { HOME: home, DENO_DIR, SHELL: "/bin/bash" },
    stdin: "null",
    stdout: "piped",
  }).output();
  return new TextDecoder().decode(stdout);
}

/** The queue service, not yet started. */
export function queueService(
  { home }: Pick<Vm, "home">,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Deno.Command {
  const names = "HOME,NO_COLOR,QREXEC_REMOTE_DOMAIN,QREXEC_SERVICE_ARGUMENT";
  return new Deno.Command(Deno.execPath(), {
    args: [...flags(home, names, `=${ownFolders(home)}`), `${ROOT}vm/qvmremote.Queue.ts`, ...args],
    env: { HOME: home, DENO_DIR, QREXEC_REMOTE_DOMAIN: "dom0", ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
}

export interface ClientResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Uint8Array;
}

/** Runs the client to its end. */
export async function runClient(
  vm: Pick<Vm, "home">,
  args: readonly string[],
  stdin?: string | Uint8Array<ArrayBuffer>,
): Promise<ClientResult> {
  const child = client(vm, args, { stdin: stdin === undefined ? "null" : "piped" }).spawn();
  if (stdin !== undefined) {
    const body = new Blob([stdin]).stream();
    body.pipeTo(child.stdin).catch(() => {}); // it may not want it all
  }
  return asText(await child.output());
}

export function asText({ code, stdout, stderr }: Deno.CommandOutput): ClientResult {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr), stdoutBytes: stdout };
}

export function namesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
}
