// SPDX-License-Identifier: GPL-2.0-or-later
/** The real OpenClaw in a VM, as if setup-vm had fetched it; setup-vm itself does the rest. @module */

import { installShare, STAND_INS } from "../e2e/setup_vm_world.ts";
import { sourceLauncher } from "../e2e/program_flags.ts";
import { writeExecutable } from "../executable.ts";
import { freePort, OPENCLAW_FOLDER } from "../openclaw/real_openclaw.ts";
import { KEY } from "./clients_scene.ts";
import { AGENT, type QubesScene } from "./qubes_scene.ts";

export interface InstalledOpenClaw {
  readonly program: string;
  readonly config: string;
  /** What this VM has in place of setup-vm's own ports. */
  readonly words: string;
  /** The proxy of the test wants one of its clients; the installed one takes all of loopback. */
  giveKey(): Promise<void>;
}

/** What of a VM a simulated one lacks. */
const TOOLS = ["sudo", "systemctl", "loginctl", "xenstore-read"] as const;

export async function installOpenClaw(
  { qubes: { world }, models, home }: QubesScene,
): Promise<InstalledOpenClaw> {
  const root = world.vmRoot(AGENT);
  const lib = `${root}/usr/lib/qubes-claw/openclaw`;
  await installShare(root);
  const share = `${root}/usr/share/qubes-claw/openclaw`;
  for (const name of ["node", "openclaw"]) {
    await Deno.mkdir(`${lib}/${name}`, { recursive: true });
    const list = `${share}/${name}/package-lock.json`;
    await Deno.copyFile(list, `${lib}/${name}/installed-package-lock.json`);
  }
  await Deno.mkdir(`${lib}/bin`);
  const modules = `${OPENCLAW_FOLDER}/node_modules`;
  writeExecutable(
    `${lib}/bin/openclaw`,
    `#!/bin/sh
export NODE_COMPILE_CACHE="${OPENCLAW_FOLDER}/compile-cache"
exec "${modules}/node/bin/node" "${modules}/openclaw/openclaw.mjs" "$@"
`,
  );
  await Deno.mkdir(`${root}/proc`, { recursive: true });
  await Deno.writeTextFile(`${root}/proc/meminfo`, "MemTotal:  8000000 kB\n");
  for (const name of TOOLS) {
    writeExecutable(`${world.vmBin}/${name}`, `#!/bin/sh\n${STAND_INS[name]}`);
  }
  writeExecutable(`${world.vmBin}/openclaw-ports`, PORTS);
  for (const [name, file] of PROGRAMS) {
    writeExecutable(`${world.vmBin}/${name}`, sourceLauncher(name, file));
  }
  const config = `${home}/.openclaw/openclaw.json`;
  return {
    program: `${lib}/bin/openclaw`,
    config,
    words: `--proxy-port ${new URL(models.proxy.url).port} --gateway-port ${freePort()}`,
    async giveKey() {
      const value = JSON.parse(await Deno.readTextFile(config));
      value.models.providers.proxy.apiKey = KEY;
      await Deno.writeTextFile(config, JSON.stringify(value));
    },
  };
}

const PROGRAMS = [
  ["setup-vm", "vm/setup-vm.ts"],
  ["openclaw-proxy", "vm/openclaw-proxy.ts"],
] as const;

/** The whitelist alone, which is not what this is about. */
const PORTS = `#!/bin/sh
list=$QUBES_CLAW_ROOT/ports
case $1 in
  install) shift; echo "$@" >"$list" ;;
  remove) rm -f "$list" ;;
  status)
    whitelisted=false
    [ ! -e "$list" ] || whitelisted=true
    for port in $(cat "$list" 2>/dev/null); do
      open="$open,{\\"service\\":\\"qubes.ConnectTCP\\",\\"port\\":\\"$port\\"}"
    done
    echo "{\\"whitelisted\\":$whitelisted,\\"open\\":[\${open#,}]}" ;;
esac
`;
