// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * qrexec-client-vm of a simulated VM: asks to call a service elsewhere.
 *
 * What the policy files in dom0 do not allow is refused, and so is every call
 * to dom0: the simulated dom0 has no services.
 *
 * @module
 */
import { relayCall } from "./client_relay.ts";
import { EXIT_PROBLEM, EXIT_REFUSED } from "./exit_codes.ts";
import { worldPaths } from "./layout.ts";
import { CONNECT_TIMEOUT_S } from "./limits.ts";
import { ownVm } from "./own_vm.ts";
import { decideCall } from "./policy.ts";
import { parseToolArgs, ToolUsageError } from "./tool_args.ts";
import { powerState } from "./vm_domain.ts";
import { startVm } from "./vm_life.ts";

const OPTIONS = [
  ["--buffer-size", "value"],
  ["--filter-escape-chars-stdout -t", "flag"],
  ["--filter-escape-chars-stderr -T", "flag"],
  ["--no-filter-escape-chars-stdout", "flag"],
  ["--no-filter-escape-chars-stderr", "flag"],
  ["--agent-socket -a", "value"],
  ["--prefix-data -p", "value"],
] as const;
const EXIT_USAGE = 2;

function print(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}

async function main([folder = "", ...rest]: readonly string[]): Promise<number> {
  const args = parseToolArgs(rest, OPTIONS, 2);
  const [written, ident, local] = args.words;
  if (written === undefined || ident === undefined) {
    throw new ToolUsageError("usage: qrexec-client-vm [options] target service");
  }
  if (local !== undefined) {
    throw new ToolUsageError("the simulated qrexec-client-vm starts no local program");
  }
  const source = ownVm(folder);
  // The daemon does not let other bytes through (qrexec.md 4.7).
  const fullName = ident.replace(/[^A-Za-z0-9_.+-]/g, "_");
  const asked = written.replaceAll("$", "@").replace(/[^A-Za-z0-9_.@:-]/g, "_");
  const target = decideCall(folder, { source, target: asked, service: fullName });
  if (target === undefined) {
    print("Request refused\n");
    return EXIT_REFUSED;
  }
  const path = `${worldPaths(folder).socketDir}/qrexec.${target}`;
  const connect = () => Deno.connect({ transport: "unix", path }).catch(() => undefined);
  let conn = await connect();
  // Looked at after that only: who may call may not see the other VM's processes.
  if (conn === undefined && powerState(folder, target) === "Halted") {
    await startVm(folder, target);
    conn = await connect();
  }
  if (conn === undefined) return EXIT_PROBLEM;
  const isFiltered = (stream: string, sink: { isTerminal(): boolean }) =>
    args.has(`--filter-escape-chars-${stream}`) ||
    !args.has(`--no-filter-escape-chars-${stream}`) && sink.isTerminal();
  return await relayCall(conn, {
    command: `user:QUBESRPC ${fullName.includes("+") ? fullName : `${fullName}+`} ${source}`,
    justExec: false,
    alwaysZero: false,
    replaceStdout: isFiltered("stdout", Deno.stdout),
    replaceStderr: isFiltered("stderr", Deno.stderr),
    timeoutS: CONNECT_TIMEOUT_S,
    prefix: args.value("--prefix-data") ?? "",
  }, (text) => print(`qrexec-client-vm[${Deno.pid}]: ${text}\n`));
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof ToolUsageError)) throw error;
    print(`${error.message}\n`);
    Deno.exit(EXIT_USAGE);
  }
}
