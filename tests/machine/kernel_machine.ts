// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A machine with a kernel of its own, under QEMU: for what must not happen to this one, and for the
 * controllers of cgroup 2. Without KVM a start of Deno takes 5 s there: few commands, well chosen.
 *
 * @module
 */

import {
  expectGood,
  lines,
  type Machine,
  type RunOptions,
  type Shell,
  waitUntil,
} from "./machine.ts";
import { machineRoot } from "./machine_root.ts";

/** In MiB; more than any test of memory lets its commands have. */
const MEMORY_MIB = 3072;

export interface KernelMachine extends Shell, AsyncDisposable {}

/** Boots what a machine in namespaces has on its disk, which is off from then on. */
export async function bootKernel(prepared: Machine): Promise<KernelMachine> {
  const boot = `${await machineRoot()}/boot`;
  const folder = await Deno.makeTempDir({ dir: "/tmp", prefix: "qkernel-" });
  const [disk, consoleLog] = [`${folder}/disk`, `${folder}/console`];
  await prepared.powerOff();
  await prepared.pack(disk);
  const [kernel = "", initrd = ""] = [fileIn(boot, "vmlinuz-"), fileIn(boot, "initrd.img-")];
  const qemu = new Deno.Command("setpriv", {
    args: [
      ...["--pdeathsig=KILL", "qemu-system-x86_64"], // ended with this process, however it ends
      ...["-accel", "tcg,thread=multi", "-cpu", "max", "-machine", "q35", "-smp", "2"],
      ...["-m", `${MEMORY_MIB}`, "-nodefaults", "-no-reboot", "-display", "none"],
      ...["-serial", `file:${consoleLog}`, "-serial", "stdio"],
      ...["-kernel", kernel, "-initrd", initrd],
      ...["-append", "root=/dev/vda rw console=ttyS0 quiet mitigations=off tsc=unstable"],
      ...["-drive", `file=${disk},if=virtio,format=raw,cache=unsafe`],
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const toShell = qemu.stdin.getWriter();
  const answers = qemu.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(lines()).getReader();
  const nextLine = async (): Promise<string> => {
    const { value } = await answers.read();
    if (value !== undefined) return value;
    const said = await Deno.readTextFile(consoleLog);
    throw new Error(`the machine under QEMU has ended\n${said.slice(-4000)}`);
  };
  const machine: KernelMachine = {
    async run(script, { user = "root", input = "" }: RunOptions = {}) {
      const whole = user === "root" ? script : `runuser -u ${user} -- bash -c ${quote(script)}`;
      const text = input === "" ? whole : `${whole} <<<"$(base64 -d <<<${encode(input)})"`;
      await toShell.write(new TextEncoder().encode(`${encode(text)}\n`));
      const [code = "", printed = ""] = (await nextLine()).split(" ");
      const [stdout = "", stderr = ""] = printed.split(".").map(decode);
      return { code: Number(code), stdout, stderr };
    },
    good: (script, options) => expectGood(machine, script, options),
    until: (script, options) => waitUntil(machine, script, options),
    async [Symbol.asyncDispose]() {
      qemu.kill("SIGKILL");
      await qemu.status;
      await answers.cancel();
      await toShell.abort().catch(() => {}); // nobody reads it any more
      await Deno.remove(folder, { recursive: true });
    },
  };
  try {
    while (await nextLine() !== "booted"); // before it, what the firmware says
    await Deno.remove(disk); // QEMU has it open: nothing of its size is left, whatever happens
    await machine.run("systemctl is-system-running --wait");
  } catch (error) {
    await machine[Symbol.asyncDispose]();
    throw error;
  }
  return machine;
}

function fileIn(folder: string, begin: string): string {
  const name = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .find((name) => name.startsWith(begin));
  if (name === undefined) throw new Error(`no ${begin}* in ${folder}`);
  return `${folder}/${name}`;
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function encode(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

function decode(text: string): string {
  return new TextDecoder().decode(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)));
}
