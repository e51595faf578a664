// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Plays one running VM: qrexec-daemon in dom0, qrexec-agent and fork server in
 * the VM, all in one process. Arguments: world folder, VM, xid.
 *
 * It prints one line, "ready", when calls can be made. SIGTERM shuts the VM
 * down; SIGSTOP is a paused VM; SIGKILL is half of a killed one (vm_life.ts).
 * It sleeps while nothing happens: there is no timer in it.
 *
 * @module
 */
import { createFrameReader, createFrameWriter, FRAME, wholeBody } from "./call_frames.ts";
import type { CallRequest } from "./call_frames.ts";
import { parseCommandLine } from "./command_line.ts";
import { EXIT_PROBLEM } from "./exit_codes.ts";
import { createFaultGate, type FaultGate } from "./fault_gate.ts";
import { readFaults } from "./faults.ts";
import { appendLog, removeIfAny } from "./files.ts";
import { vmPaths } from "./layout.ts";
import { MAX_COMMAND_BYTES, MAX_DAEMON_MESSAGE_BYTES } from "./limits.ts";
import { processInfo } from "./processes.ts";
import { type AcceptedCall, relayToRemote, reportFailure } from "./vm_call.ts";
import { announce, withdraw, writeDomain } from "./vm_domain.ts";
import { shutDownFromInside } from "./vm_life.ts";
import { type Inside, startService, startShell } from "./vm_service.ts";
import { findVm, readWorld } from "./world_config.ts";

/** The VM while it runs. */
interface Agent extends Inside {
  readonly xid: number;
  readonly maxCalls: number;
  readonly gate: FaultGate;
  openCalls: number;
  /** A command line that was too long has jammed the control channel for good. */
  isWedged: boolean;
}

async function serveCall(agent: Agent, conn: Deno.UnixConn): Promise<void> {
  const reader = createFrameReader(conn);
  const first = await reader.next();
  if (first?.type !== FRAME.call) return;
  const request: CallRequest = JSON.parse(
    new TextDecoder().decode(await wholeBody(reader, first)),
  );
  const { command } = request;
  const commandBytes = new TextEncoder().encode(command).length;
  if (commandBytes > MAX_DAEMON_MESSAGE_BYTES) return;
  if (commandBytes > MAX_COMMAND_BYTES) agent.isWedged = true;
  if (agent.isWedged) {
    agent.log("control channel does not answer");
    await reader.next(); // until the client has had enough
    return;
  }
  if (!agent.gate.admit(command)) return agent.log(`refused by a fault: ${command}`);
  if (agent.openCalls >= agent.maxCalls) return agent.log("Data vchan connection failed");
  agent.openCalls++;
  try {
    await agent.gate.setUp(command);
    await createFrameWriter(conn).send(FRAME.accepted, new Uint8Array(0));
    await runCall(agent, conn, reader, request);
  } finally {
    agent.openCalls--;
  }
}

async function runCall(
  agent: Agent,
  conn: Deno.UnixConn,
  reader: AcceptedCall["reader"],
  { command, justExec }: CallRequest,
): Promise<void> {
  const parsed = parseCommandLine(command);
  const service = parsed.kind === "bad"
    ? { exitCode: EXIT_PROBLEM, reason: parsed.reason }
    : parsed.kind === "shell"
    ? startShell(agent, parsed, justExec)
    : await startService(agent, parsed, justExec);
  if ("reason" in service) {
    agent.log(service.reason);
    return await reportFailure(conn, service);
  }
  rememberSession(agent, service.remote.pid);
  if (justExec) return await reportFailure(conn, { exitCode: 0, reason: "" });
  const tag = parsed.kind === "service" ? `${parsed.fullName}-${parsed.source}` : undefined;
  const decoder = new TextDecoder();
  await relayToRemote({
    command,
    conn,
    reader,
    gate: agent.gate,
    exitOnClientEof: service.exitOnClientEof,
    exitOnServiceEof: service.exitOnServiceEof,
    logStderr(bytes) {
      if (tag === undefined) return;
      appendLog(
        vmPaths(agent.folder, agent.vm).log,
        tag,
        decoder.decode(bytes, { stream: true }).trimEnd(),
      );
    },
  }, service.remote);
}

/** So that the process is found when the VM is killed, whatever became of it. */
function rememberSession(agent: Agent, pid: number | undefined): void {
  const info = pid === undefined ? undefined : processInfo(pid);
  if (info === undefined) return;
  const { sessions } = vmPaths(agent.folder, agent.vm);
  Deno.writeTextFileSync(sessions, `${info.pid} ${info.startTime}\n`, { append: true });
}

/** Listens while the daemon is up. @returns when a fault took it down. */
async function listen(agent: Agent, listener: Deno.UnixListener): Promise<void> {
  for await (const conn of listener) {
    serveCall(agent, conn).catch((error) => agent.log(`call failed: ${error}`)).finally(() => {
      try {
        conn.close();
      } catch {
        // the relay has closed it
      }
    });
  }
}

/** Each connection to the control socket means: the faults are other ones now. */
async function obeyControl(agent: Agent, onChange: () => void): Promise<void> {
  const path = vmPaths(agent.folder, agent.vm).control;
  removeIfAny(path);
  for await (const conn of Deno.listen({ transport: "unix", path })) {
    agent.gate.set(readFaults(agent.folder, agent.vm));
    onChange();
    await conn.write(new Uint8Array([1])).catch(() => {}); // who asked has gone
    conn.close();
  }
}

async function main([folder = "", vm = "", xidText = ""]: readonly string[]): Promise<void> {
  const paths = vmPaths(folder, vm);
  const config = findVm(readWorld(folder), vm);
  if (config === undefined) throw new Error(`no VM "${vm}" in ${folder}`);
  const agent: Agent = {
    folder,
    vm,
    xid: Number(xidText),
    maxCalls: config.maxCalls,
    log: (text) => appendLog(paths.log, "qrexec-agent", text),
    gate: createFaultGate(readFaults(folder, vm)),
    openCalls: 0,
    isWedged: false,
  };
  Deno.addSignalListener("SIGUSR1", () => {}); // real agents take it: see QREXEC_AGENT_PID
  Deno.addSignalListener("SIGHUP", () => {});
  Deno.addSignalListener("SIGTERM", () => {
    shutDownFromInside(folder, vm).then(() => Deno.exit(0));
  });
  writeDomain(folder, vm, { xid: agent.xid, isPaused: false });
  let listener: Deno.UnixListener | undefined;
  const follow = () => {
    if (agent.gate.isDaemonDown && listener !== undefined) {
      listener.close();
      listener = undefined;
      withdraw(folder, vm, agent.xid);
    } else if (!agent.gate.isDaemonDown && listener === undefined) {
      listener = announce(folder, vm, agent.xid);
      listen(agent, listener).catch((error) => agent.log(`daemon stopped: ${error}`));
    }
  };
  const control = obeyControl(agent, follow);
  follow();
  Deno.stdout.writeSync(new TextEncoder().encode("ready\n"));
  await control;
}

if (import.meta.main) await main(Deno.args);
