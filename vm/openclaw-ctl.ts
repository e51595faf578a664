// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * openclaw-ctl: operates and explains what runs in this VM: the gateway, the proxy, the watchdog,
 * the tunnel.
 *
 * @module
 */

import {
  EXIT_FAILED,
  EXIT_OK,
  runProgram,
  UsageError,
  UserError,
  writeAll,
} from "../shared/cli/program.ts";
import { parseNumber } from "../shared/cli/options.ts";
import { VERSION } from "../shared/io/version.ts";
import { type CtlCall, readCall } from "./ctl/cli.ts";
import { CTL_HELP, CTL_PROGRAM } from "./ctl/cli_table.ts";
import { doctorOutcome } from "./ctl/commands/doctor.ts";
import { followLogs, logLineText, readLogs } from "./ctl/commands/logs.ts";
import { statusJson } from "./ctl/commands/status.ts";
import { error } from "./ctl/doctor/finding.ts";
import { shakeHands } from "./ctl/gateway_socket.ts";
import { logQuestion, runCommand, type Said } from "./ctl/run_command.ts";
import type { CtlPlaces, Scene } from "./ctl/scene.ts";
import { isWell } from "./ctl/snapshot.ts";
import { asciiJson } from "./ctl/text.ts";
import { drawText } from "./ctl/top/draw.ts";
import { takeFrame } from "./ctl/top/frame.ts";
import { runTop } from "./ctl/top/run_top.ts";
import { askHttp } from "./probe/http_answer.ts";
import { runProgramToEnd } from "./probe/run_program.ts";
import { loadVmSettings } from "./settings/vm_settings.ts";

/** Version of the JSON objects: raised when a field is removed or changes its meaning. */
const SCHEMA = 1;

const say = (text: string): void => writeAll(Deno.stdout, text);

async function main(args: readonly string[]): Promise<number> {
  const call = readCall(args);
  if (call === "help") return say(CTL_HELP), EXIT_OK;
  if (call === "version") return say(`${CTL_PROGRAM} ${VERSION}\n`), EXIT_OK;
  try {
    return await run(call);
  } catch (failure) {
    if (!call.json || !(failure instanceof UserError)) throw failure;
    const { message, hints } = failure;
    sayJson(call.command, { ok: false, error: { message, hints } });
    return failure.exitCode;
  }
}

async function run(call: CtlCall): Promise<number> {
  const places = placesHere();
  let scene: Scene;
  try {
    scene = await openScene(places);
  } catch (failure) {
    if (call.command !== "doctor" || !(failure instanceof UserError)) throw failure;
    const finding = error("settings", failure.message, failure.hints.join("; "));
    return tell(call, doctorOutcome([finding]));
  }
  const machine = { memoryBytes: () => Deno.systemMemoryInfo().total, uid: Deno.uid() };
  const running = runCommand(scene, call, machine);
  if (running !== null) return tell(call, await running);
  switch (call.command) {
    case "logs":
      for (const line of await readLogs(logQuestion(scene, call), scene.settings, scene.run)) {
        say(logLineText(line, call.json));
      }
      return EXIT_OK;
    case "follow":
      return await follow(scene, call);
    case "top":
      return await top(scene, call);
    default:
      throw new Error(`no code for ${call.command}`);
  }
}

function placesHere(): CtlPlaces {
  const home = Deno.env.get("HOME") ?? "";
  if (!home.startsWith("/")) throw new UserError("HOME is not set");
  const runtime = Deno.env.get("XDG_RUNTIME_DIR") ?? "/run/user/none";
  return { home, runtime, root: Deno.env.get("QUBES_CLAW_ROOT") ?? "" };
}

async function openScene(places: CtlPlaces): Promise<Scene> {
  return {
    places,
    settings: await loadVmSettings(places.home),
    ask: askHttp,
    run: runProgramToEnd,
    shakeHands,
    nowMs: () => Date.now(),
  };
}

function tell({ command, json }: CtlCall, { ok, text, json: fields, errorText }: Said): number {
  if (json) sayJson(command, { ok, ...fields });
  else say(text);
  if (!json && errorText !== undefined) writeAll(Deno.stderr, errorText);
  return ok ? EXIT_OK : EXIT_FAILED;
}

function sayJson(command: string, fields: Readonly<Record<string, unknown>>): void {
  say(asciiJson({ schema: SCHEMA, command, ...fields }, 2) + "\n");
}

async function follow(scene: Scene, call: CtlCall): Promise<number> {
  const stop = new AbortController();
  let code = EXIT_OK;
  for (const [signal, number] of [["SIGINT", 2], ["SIGTERM", 15], ["SIGHUP", 1]] as const) {
    Deno.addSignalListener(signal, () => {
      code = 128 + number;
      stop.abort();
    });
  }
  const question = logQuestion(scene, call);
  const write = (line: Parameters<typeof logLineText>[0]): void =>
    say(logLineText(line, call.json));
  await followLogs(question, scene.settings, stop.signal, write);
  return code;
}

async function top(scene: Scene, call: CtlCall): Promise<number> {
  const everyMs = 1000 * parseNumber("--every", call.options.value("every") ?? "2", 1, 3600);
  const color = (Deno.env.get("NO_COLOR") ?? "") === "";
  if (call.options.has("once") || call.json) {
    const frame = await takeFrame(scene, null);
    const { snapshot, today, logs } = frame;
    const ok = isWell(snapshot);
    const text = drawText(frame);
    return tell(call, { ok, text, json: { ...statusJson(snapshot), today, logs } });
  }
  if (!Deno.stdout.isTerminal() || Deno.env.get("TERM") === "dumb") {
    throw new UsageError("top needs a terminal", [`for a pipe: ${CTL_PROGRAM} top --once`]);
  }
  return await runTop(scene, everyMs, color);
}

if (import.meta.main) Deno.exit(await runProgram(CTL_PROGRAM, () => main(Deno.args)));
