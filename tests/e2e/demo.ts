// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * "make demo": the main job on the simulated Qubes, through the real programs, one step after
 * another; ends with 0 only if each step did what it says. "make sim" (--shell) leaves the same
 * world running, with a shell in the VM "work".
 *
 * @module
 */

import { writeAll } from "../../shared/cli/program.ts";
import { parseAuthKey } from "../../shared/protocol/auth_key.ts";
import { utf8 } from "../../shared/protocol/bytes.ts";
import { makeNonce, PLAIN_REQUEST, sealEnvelope } from "../../shared/protocol/envelope.ts";
import { makeRequestId } from "../../shared/protocol/request_id.ts";
import { parseVmName } from "../../shared/protocol/vm_name.ts";
import { authoritySteps } from "./demo_authority.ts";
import {
  expectCode,
  expectOut,
  expectOutput,
  expectText,
  good,
  type Scene,
  type Step,
} from "./demo_step.ts";
import { finish, type Finished, install, type Installed, until } from "./installed.ts";

const VMS = ["work", "lab", "untrusted", "agent"] as const;
const MAKES_COLOURS = Deno.stdout.isTerminal() && Deno.env.get("NO_COLOR") === undefined;

function steps(scene: Scene): readonly Step[] {
  const { qubes } = scene;
  const { world } = qubes;
  const inVm = (vm: string, ...words: string[]): Promise<Finished> => qubes.client(vm, words);
  const authorizes = (vm: string): Step => ({
    shown: `dom0$ qvm-remote-dom0 authorize --fetch --fingerprint … --grant full ${vm}`,
    why: `dom0 fetches the key over qrexec and compares the fingerprint that ${vm} shows`,
    run: async () => {
      const { stdout } = await good(inVm(vm, "key", "fingerprint"));
      const words = ["--fetch", "--fingerprint", stdout.trim(), "--grant", "full", vm];
      return (await good(qubes.dom0(["authorize", ...words]))).stdout;
    },
  });
  return [
    {
      shown: "work$ qvm-remote key gen        (and in lab)",
      why: "each VM makes a key of its own; only its fingerprint is shown",
      run: async () => {
        const both = [
          await good(inVm("work", "key", "gen")),
          await good(inVm("lab", "key", "gen")),
        ];
        return both.map(({ stdout }) => stdout).join("");
      },
    },
    authorizes("work"),
    authorizes("lab"),
    {
      shown: "dom0$ systemctl start qvm-remote-dom0",
      why: "the daemon opens one qrexec stream to each authorised VM",
      run: async () => {
        scene.daemon = await qubes.startDaemon(["work", "lab"]);
        return (await good(qubes.dom0(["status"]))).stdout;
      },
    },
    {
      shown: "work$ qvm-remote ping",
      why: "from the VM to dom0 and back",
      run: async () => expectOut(await good(inVm("work", "ping")), /is responding/),
    },
    {
      shown: "work$ qvm-remote hostname",
      why: "a command, run in dom0",
      run: async () => expectOut(await good(inVm("work", "hostname")), /^dom0$/m),
    },
    {
      shown: "work$ qvm-remote 'for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done'",
      why: "output appears while the command runs",
      run: () => streamed(qubes),
    },
    {
      shown: "lab$ qvm-remote < script.sh",
      why: "a script from stdin",
      run: async () => {
        const script = 'qvm-ls --raw-list\necho "asked by $QVM_REMOTE_VM"\n';
        return expectOut(await good(qubes.client("lab", [], script)), /asked by lab/);
      },
    },
    {
      shown: "work$ qvm-remote -t 1 'echo before; sleep 60'",
      why: "the time limit ends it in dom0; what it printed before is kept",
      run: async () => {
        const ended = await inVm("work", "-t", "1", "echo before; sleep 60");
        return expectCode(expectOutput(ended, /before/), 124);
      },
    },
    {
      shown: "work$ (publishes a request that was changed after it was signed)",
      why: "one letter of a signed command is changed: dom0 refuses it",
      run: () => publishTwice(qubes, "work", { forged: true }),
    },
    {
      shown: "work$ (publishes a request that dom0 has run, once more)",
      why: "the same bytes again: the ledger in dom0 remembers them",
      run: () => publishTwice(qubes, "work", { forged: false }),
    },
    {
      shown: "untrusted$ qvm-remote key gen && qvm-remote -t 2 hostname",
      why: "a VM that nobody authorised is not even listened to",
      run: async () => {
        await good(inVm("untrusted", "key", "gen"));
        return expectCode(await inVm("untrusted", "-t", "2", "hostname"), 124);
      },
    },
    ...authoritySteps(scene, "agent"),
    {
      shown: "dom0$ qvm-remote-dom0 revoke lab",
      why: "what lab has running is ended at once, and nothing more is taken from it",
      run: async () => {
        const running = qubes.spawnClient("lab", ["sleep 300"]);
        await until("lab's command runs", () => isOpen(world.dom0Root, "lab"));
        const { stdout } = await good(qubes.dom0(["revoke", "lab"]));
        const ended = await finish(running);
        if (ended.code === 0) throw new Error("the revoked command ended well");
        return `${stdout}${expectCode(await inVm("lab", "-t", "2", "hostname"), 124)}`;
      },
    },
    {
      shown: "dom0$ qvm-remote-dom0 audit show --failed; qvm-remote-dom0 audit verify",
      why: "everything is on record, and the record is chained by hash",
      run: async () => {
        const { stdout } = await good(qubes.dom0(["audit", "show", "--failed"]));
        for (const wanted of [/bad-mac/, /replay/, /TIMEOUT/]) expectText(stdout, wanted);
        return stdout + expectOut(await good(qubes.dom0(["audit", "verify"])), /unbroken/);
      },
    },
  ];
}

/** The lines of a slow command, with the time each one arrived. */
async function streamed(qubes: Installed): Promise<string> {
  const started = Date.now();
  const child = qubes.spawnClient("work", [
    "for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done",
  ]);
  const seen: string[] = [];
  const times: number[] = [];
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    times.push(Date.now() - started);
    seen.push(`${String(Date.now() - started).padStart(5)} ms  ${text.trimEnd()}\n`);
  }
  await child.stderr.cancel();
  const { code } = await child.status;
  if (code !== 0 || seen.length < 4) throw new Error(`exit ${code}, ${seen.length} pieces`);
  if ((times.at(-1) ?? 0) - (times[0] ?? 0) < 500) throw new Error("it came all at once");
  return seen.join("");
}

/** Signs a request as the client does, lets dom0 have it, and shows dom0's second answer. */
async function publishTwice(
  { world }: Installed,
  vmWord: string,
  { forged }: { readonly forged: boolean },
): Promise<string> {
  const home = `${world.vmHome(vmWord)}/.qvm-remote`;
  const key = await parseAuthKey(await Deno.readTextFile(`${home}/auth.key`));
  const random = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  const id = makeRequestId(Date.now(), Deno.pid, random);
  const script = utf8("echo once\n");
  const fields = { id, vm: parseVmName(vmWord), issuedAtMs: Date.now(), timeoutMs: 5000 };
  const envelope = await sealEnvelope(
    { ...fields, ...PLAIN_REQUEST, mode: "script", nonce: makeNonce(), body: script },
    key,
  );
  if (forged) envelope[envelope.length - 2] = 0x58;
  const wanted = forged ? "bad-mac" : "replay";
  for (let round = forged ? 1 : 0; round < 2; round++) {
    await Deno.writeFile(`${home}/queue/.${id}.new`, envelope, { mode: 0o600 });
    await Deno.rename(`${home}/queue/.${id}.new`, `${home}/queue/pending/${id}`);
    await until(`an answer to ${id}`, () => hasFile(`${home}/queue/results/${id}.exit`));
    const meta = await Deno.readTextFile(`${home}/queue/results/${id}.meta`);
    for (const end of ["exit", "meta", "mac", "out", "err"]) {
      await Deno.remove(`${home}/queue/results/${id}.${end}`).catch(() => {});
    }
    if (round === 1) {
      expectText(meta, new RegExp(`^reason=${wanted}$`, "m"));
      return meta.split("\n").filter((line) => /^(id|outcome|reason)=/.test(line)).join("\n");
    }
  }
  throw new Error("no second answer");
}

function hasFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function isOpen(dom0Root: string, vm: string): boolean {
  const state = JSON.parse(Deno.readTextFileSync(`${dom0Root}/run/qvm-remote/state.json`));
  return state.vms.some((known: { vm: string; open: string[] }) =>
    known.vm === vm && known.open.length > 0
  );
}

function paint(code: number, text: string): string {
  return MAKES_COLOURS ? `\x1b[${code}m${text}\x1b[0m` : text;
}

function say(text: string): void {
  writeAll(Deno.stdout, text);
}

async function main(): Promise<number> {
  await using qubes = await install(VMS.map((name) => ({ name })));
  const scene: Scene = { qubes, daemon: null };
  const all = steps(scene);
  say(`A simulated Qubes in ${qubes.world.folder}: dom0 and the VMs ${VMS.join(", ")}.\n`);
  const wanted = Deno.args.includes("--shell") ? all.slice(0, 4) : all;
  let number = 0;
  for (const { shown, why, run } of wanted) {
    say(`\n${paint(1, `${String(++number).padStart(2)}. ${shown}`)}\n    ${paint(2, why)}\n`);
    try {
      const seen = await run();
      say(seen.trimEnd().split("\n").map((line) => `      ${line}\n`).join(""));
      say(`    ${paint(32, "as it should be")}\n`);
    } catch (error) {
      say(
        `    ${paint(31, "NOT as it should be")}: ${
          error instanceof Error ? error.message : error
        }\n`,
      );
      return 1;
    }
  }
  if (Deno.args.includes("--shell")) await shell(qubes);
  const code = await scene.daemon?.stop() ?? 1;
  say(`\n${wanted.length} steps, each as it should be. The daemon ended with ${code}.\n`);
  return code;
}

async function shell({ world }: Installed): Promise<void> {
  say(`\nA shell in the VM "work": try "qvm-remote qvm-ls". "exit" ends the world.\n`);
  const child = new Deno.Command("/bin/bash", {
    args: ["--norc", "-i"],
    clearEnv: true,
    env: { ...world.vmEnv("work"), PS1: "[user@work ~]$ ", TERM: Deno.env.get("TERM") ?? "dumb" },
    cwd: world.vmHome("work"),
  }).spawn();
  await child.status;
}

if (import.meta.main) {
  Deno.exit(await main());
}
