// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Types the README's commands for a key qube into a simulated Qubes, each where it says, with a
 * double of the provider. Needs root, for the VMs' networks. Ends with 1 at the first that fails.
 *
 * @module
 */

import { EXIT_OK, writeAll } from "../../shared/io/program.ts";
import { finish, type Finished } from "./installed.ts";
import { install, KEYS, startProvider } from "./keyqube_world.ts";
import { PROJECT } from "./program_flags.ts";
import { createScene, type SetupScene } from "./setup_scene.ts";

const PLACES: Readonly<Record<string, string>> = {
  "# in dom0:": "dom0",
  "# in the key qube:": KEYS,
  "# in the agent VM:": "claw",
};
const PROVIDER_PORT = 9999;
/** What the README writes for a key. */
const KEY = "sk-...";
/** Until a proxy or a tunnel that was just started is there. */
const TRIES = 20;
const TRY_EVERY_MS = 250;

const SUDO = '#!/bin/sh\nUSER=root exec "$@"\n';
/** What "enable --now" starts, and what starts with a VM: a unit whose conditions hold. */
const SYSTEMCTL = `#!/bin/sh
for unit; do :; done
file=${PROJECT}/vm/systemd/user/$unit.service
[ -e "$file" ] || file=${PROJECT}/vm/systemd/$unit.service
for condition in $(sed -n 's/^ConditionPathExists=//p' "$file"); do
  case $condition in
    !*) [ ! -e "$QUBES_CLAW_ROOT\${condition#!}" ] || exit 1 ;;
    *) [ -e "$QUBES_CLAW_ROOT$condition" ] || exit 1 ;;
  esac
done
setsid sh -c "$(sed -n 's,^ExecStart=/usr/bin/,,p' "$file")" </dev/null >/dev/null 2>&1 &
`;

interface Typed {
  readonly place: string;
  readonly text: string;
}

/** Commands, of which some go over several lines. */
async function commandsOf(readme: string): Promise<readonly Typed[]> {
  const block = /```sh\n(# in dom0:\nsudo setup-dom0 claw --key-qube[^]*?)```/.exec(readme)?.[1];
  if (block === undefined) throw new Error("the README has no commands for a key qube");
  const commands: Typed[] = [];
  let place = "";
  let text = "";
  for (const line of block.trim().split("\n")) {
    if (PLACES[line] !== undefined) {
      place = PLACES[line];
      continue;
    }
    text += text === "" ? line : `\n${line}`;
    const whole = new Deno.Command("bash", { args: ["-n", "-c", text], stderr: "null" });
    if (!(await whole.output()).success) continue;
    commands.push({ place, text });
    text = "";
  }
  return commands;
}

async function type({ world }: SetupScene, { place, text }: Typed): Promise<Finished> {
  const words = text.replace(/\bcurl /, "curl --fail --silent --show-error ")
    .replace('"kind": "openai",', `$& "baseUrl": "http://127.0.0.1:${PROVIDER_PORT}/v1",`);
  const argv = ["bash", "-c", words];
  if (place !== "dom0") {
    const env = { QUBES_CLAW_ROOT: world.vmRoot(place) };
    return await finish(world.runInVm(place, argv, { env, stdout: "piped", stderr: "piped" }));
  }
  const child = new Deno.Command("bash", {
    ...{ args: argv.slice(1), clearEnv: true, env: world.dom0Env() },
    ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
  }).spawn();
  return await finish(child, "yes\n");
}

async function main(): Promise<number> {
  const claw = { name: "claw", klass: "StandaloneVM", prefs: { netvm: "sys-firewall" } };
  await using scene = await createScene([claw], {
    ...{ ownNetworks: true, realPolicies: true },
    extraEnv: { DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno` },
  });
  const { world } = scene;
  await install(world, ["claw"]);
  const write = (path: string, text: string): void =>
    Deno.writeTextFileSync(path, text, { mode: 0o755 });
  for (const bin of [world.dom0Bin, world.vmBin]) write(`${bin}/sudo`, SUDO);
  write(`${world.vmBin}/systemctl`, SYSTEMCTL);
  let provider: { stop(): Promise<void> } | undefined;
  let answer = "";
  try {
    for (const command of await commandsOf(await Deno.readTextFile(Deno.args[0] ?? ""))) {
      writeAll(Deno.stdout, `${command.place}$ ${command.text}\n`);
      let end = await type(scene, command);
      for (let turn = 0; end.code !== 0 && turn < TRIES; turn++) {
        await new Promise((resolve) => setTimeout(resolve, TRY_EVERY_MS));
        end = await type(scene, command);
      }
      writeAll(Deno.stdout, end.stdout + end.stderr);
      if (end.code !== 0) return end.code;
      answer = end.stdout;
      if (!command.text.startsWith("qvm-start")) continue;
      provider = startProvider(world, true, PROVIDER_PORT, KEY);
      // setup-vm has enabled it.
      await type(scene, { place: "claw", text: "systemctl start qubes-openclaw-tunnel" });
    }
  } finally {
    await provider?.stop();
  }
  return answer.includes("you said hello") ? EXIT_OK : 1;
}

if (import.meta.main) Deno.exit(await main());
