// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The qrexec under the tunnel's bench, for every way the same: a stand-in, or the real programs.
 *
 * The simulated qrexec-client is a Deno program: its start would cost each call ten times what
 * the real one costs, and the ways that call for each connection would look worse than they are.
 * So here qrexec-client is a shell script that becomes one socat process: it connects to the
 * port (qubes.ConnectTCP) or starts the service's program behind a relay (any other service), as
 * the real one has a relay and an agent in between. What one call of it costs is measured and
 * printed beside the real one's 4.2 ms. It ends when the server has closed, as the real one does
 * (exit-on-service-eof); that socat would drop what comes after a half-close does not matter here.
 *
 * OPENCLAW_BENCH_QREXEC=VM takes the qrexec-client on PATH and that VM instead, for a qrexec that
 * runs on one machine: OPENCLAW_BENCH_RPC names the VM's folder etc/qubes-rpc, into which the
 * services are put and from which they are taken back.
 *
 * @module
 */

import { isPresent } from "../../shared/io/sync_files.ts";
import { builtText } from "../e2e/launcher_text.ts";
import { sourceLauncher } from "../e2e/program_flags.ts";
import { writeExecutable } from "../executable.ts";

const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface BenchQrexec {
  readonly kind: "stand-in" | "real";
  readonly vm: string;
  /** For everything that runs in dom0: PATH has qrexec-client on it. */
  readonly env: Readonly<Record<string, string>>;
  installProgram(service: string, script: string): void;
  /** qubes.ConnectTCP+PORT, served as Qubes 4.3 does it: without a process of its own. */
  allowPort(port: number): void;
  call(service: string): Deno.Command;
  /** Takes back what was installed. */
  remove(): void;
}

/** @param folder the bench's own, removed by its owner */
export function benchQrexec(folder: string): BenchQrexec {
  const vm = Deno.env.get("OPENCLAW_BENCH_QREXEC");
  if (vm === undefined) return standIn(folder);
  const rpcFolder = Deno.env.get("OPENCLAW_BENCH_RPC");
  if (rpcFolder === undefined) {
    throw new Error("OPENCLAW_BENCH_RPC must name the folder etc/qubes-rpc of that VM");
  }
  return real(vm, rpcFolder, folder);
}

/** As much at once as the real ring holds. */
const SOCAT = "socat -b65536";

function standIn(folder: string): BenchQrexec {
  const [bin, rpc] = [`${folder}/bin`, `${folder}/rpc`];
  for (const place of [bin, rpc]) Deno.mkdirSync(place, { recursive: true });
  const script = `#!/bin/sh
# qrexec-client -d VM "DEFAULT:QUBESRPC SERVICE+ARGUMENT dom0"
service=\${3#DEFAULT:QUBESRPC }
service=\${service%% *}
QREXEC_SERVICE_ARGUMENT=\${service#*+}
export QREXEC_SERVICE_ARGUMENT
case $service in
qubes.ConnectTCP+*) exec ${SOCAT} -t0 - "TCP:127.0.0.1:$QREXEC_SERVICE_ARGUMENT" ;;
esac
exec ${SOCAT} -t86400 - "EXEC:${rpc}/$service $QREXEC_SERVICE_ARGUMENT"
`;
  writeExecutable(`${bin}/qrexec-client`, script);
  const env = baseEnv(folder, `${bin}:${SYSTEM_PATH}`);
  return {
    ...{ kind: "stand-in", vm: "agent", env },
    installProgram(service, text) {
      writeExecutable(`${rpc}/${service}`, text);
    },
    allowPort() {},
    call: (service) => caller(env, "agent", service),
    remove() {},
  };
}

function real(vm: string, rpcFolder: string, folder: string): BenchQrexec {
  const installed: string[] = [];
  const put = (path: string, write: () => void): void => {
    write();
    installed.push(path);
  };
  const configFolder = rpcFolder.replace(/qubes-rpc\/?$/, "qubes/rpc-config");
  const env = baseEnv(folder, `${Deno.env.get("PATH")}`);
  return {
    ...{ kind: "real", vm, env },
    installProgram(service, text) {
      const path = `${rpcFolder}/${service}`;
      put(path, () => writeExecutable(path, text));
    },
    allowPort(port) {
      const [link, config] = [rpcFolder, configFolder].map((f) => `${f}/qubes.ConnectTCP+${port}`);
      if (link === undefined || config === undefined) return;
      put(link, () => Deno.symlinkSync("/dev/tcp/127.0.0.1", link)); // the argument is the port
      const lines = "skip-service-descriptor=true\nexit-on-service-eof=true\n";
      put(config, () => Deno.writeTextFileSync(config, lines));
    },
    call: (service) => caller(env, vm, service),
    remove() {
      for (const path of installed) Deno.removeSync(path);
    },
  };
}

function baseEnv(folder: string, path: string): Record<string, string> {
  const denoFolder = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  return {
    PATH: path,
    HOME: folder,
    DENO_DIR: denoFolder,
    // A compiled tunnel may write its state below /run only, and does without.
    RUNTIME_DIRECTORY: `${folder}/run/openclaw`,
    QUBES_CLAW_ROOT: folder,
  };
}

function caller(env: Readonly<Record<string, string>>, vm: string, service: string): Deno.Command {
  return new Deno.Command("/usr/bin/env", {
    args: ["qrexec-client", "-d", vm, `DEFAULT:QUBESRPC ${service} dom0`],
    clearEnv: true,
    env: { ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  });
}

/** What starts one of this project's programs there: the built one, or the source. */
export function programScript(
  name: "openclaw-tunnel" | "openclaw.Mux",
  env: Readonly<Record<string, string>>,
): string {
  const domain = name === "openclaw-tunnel" ? "dom0" : "vm";
  const built = Deno.env.get("QVM_REMOTE_BUILT");
  const exported = Object.entries(env).map(([key, value]) => `export ${key}="${value}"\n`).join("");
  if (built === undefined) {
    return beginningWith(exported, sourceLauncher(name, `${domain}/${name}.ts`));
  }
  const program = `${built}/${domain}/${name}`;
  // A compiled one may read below "/" only, where it finds nothing that it needs.
  const unset = isPresent(`${program}.bin`) ? "unset QUBES_CLAW_ROOT\n" : "";
  return beginningWith(exported + unset, builtText(program, `${env.RUNTIME_DIRECTORY}/lib`));
}

const beginningWith = (lines: string, launcher: string): string =>
  launcher.replace("\n", () => `\n${lines}`);
