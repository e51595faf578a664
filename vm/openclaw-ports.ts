// SPDX-License-Identifier: GPL-2.0-or-later
/** openclaw-ports: which ports of this VM other domains may reach through qrexec. @module */

import { unknownCommand } from "../shared/cli/did_you_mean.ts";
import { expectWords, parseWords } from "../shared/cli/options.ts";
import { EXIT_FAILED, EXIT_OK, runProgram, UsageError, writeAll } from "../shared/cli/program.ts";
import { VERSION } from "../shared/io/version.ts";
import {
  parsePorts,
  parseProxyPort,
  PORTS_COMMANDS,
  PORTS_HELP,
  PORTS_OPTIONS,
  PORTS_PROGRAM,
} from "./ports/cli.ts";
import { runInstall, runRemove, runStatus } from "./ports/commands.ts";
import { readQubesDb } from "./ports/qubes_db.ts";
import { readVmKind } from "./ports/vm_kind.ts";
import { namingOsErrors } from "./remote/files/os_error.ts";

async function main(args: readonly string[]): Promise<number> {
  const words = parseWords(args, PORTS_OPTIONS, { h: "help" }, "anywhere");
  const print = (text: string): void => writeAll(Deno.stdout, text);
  if (words.has("help")) return print(PORTS_HELP), EXIT_OK;
  if (words.has("version")) return print(`${PORTS_PROGRAM} ${VERSION}\n`), EXIT_OK;
  const [command, ...rest] = words.rest;
  const root = Deno.env.get("QUBES_CLAW_ROOT") ?? "";
  const warn = (text: string): void => writeAll(Deno.stderr, `${PORTS_PROGRAM}: ${text}\n`);
  const place = { root, dryRun: words.has("dry-run") };
  const kind = (): ReturnType<typeof readVmKind> => readVmKind(readQubesDb);
  const [form, otherForm] = (["link", "script", "per-vm"] as const).filter((name) =>
    words.has(name)
  );
  if (otherForm !== undefined) {
    throw new UsageError(`--${form} and --${otherForm} exclude each other`);
  }
  switch (command) {
    case "install": {
      const ports = form === "per-vm" ? parseProxyPort(rest) : parsePorts(rest);
      await runInstall({ kind: await kind(), ports, form, place, print, warn });
      return EXIT_OK;
    }
    case "remove":
      expectWords(rest, 0, 0, `${PORTS_PROGRAM} remove`);
      await runRemove({ kind: await kind(), place, print });
      return EXIT_OK;
    case "status": {
      expectWords(rest, 0, 0, `${PORTS_PROGRAM} status [--json]`);
      const json = words.has("json");
      return await runStatus({ kind: await kind(), root, json, print }) ? EXIT_OK : EXIT_FAILED;
    }
    default:
      if (command === undefined) {
        throw new UsageError("no command given", [`see "${PORTS_PROGRAM} --help"`]);
      }
      throw unknownCommand("command", command, PORTS_COMMANDS, `"${PORTS_PROGRAM} --help"`);
  }
}

if (import.meta.main) {
  Deno.exit(await runProgram(PORTS_PROGRAM, () => namingOsErrors(() => main(Deno.args))));
}
