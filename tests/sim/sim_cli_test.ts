// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { processesInside } from "./processes.ts";
import { eventually } from "./test_tools.ts";

const CLI = new URL("./sim_cli.ts", import.meta.url).pathname;
const WORLD = new URL("./world.ts", import.meta.url).href;

async function deno(...args: string[]): Promise<[code: number, stdout: string]> {
  const command = new Deno.Command(Deno.execPath(), { args, stdin: "null", stderr: "inherit" });
  const { code, stdout } = await command.output();
  return [code, new TextDecoder().decode(stdout)];
}

Deno.test("sim_cli.ts keeps a world that others can enter", async () => {
  const folder = await Deno.makeTempDir({ dir: "/tmp", prefix: "qsim-" });
  const cli = (...args: string[]) => deno("run", "-A", "--no-check", CLI, ...args);
  assertEquals(await cli("create", folder, "work:lab", "vault"), [0, ""]);
  try {
    assertEquals(await cli("dom0", folder, "--", "qvm-ls", "--raw-list", "--running"), [
      0,
      "dom0\n",
    ]);
    assertEquals(await cli("start", folder, "work"), [0, ""]);
    assertEquals(await cli("dom0", folder, "--", "qvm-run", "-p", "work", "hostname"), [
      0,
      "work\n",
    ]);
    assertEquals(await cli("shell", folder, "work", "--", "sh", "-c", "echo $HOME; exit 7"), [
      7,
      `${folder}/vms/work/home/user\n`,
    ]);
    assertEquals((await cli("shell", folder, "vault", "--", "true"))[0], 1);
  } finally {
    assertEquals(await cli("stop", folder), [0, ""]);
  }
  assertEquals(processesInside(folder, undefined), []);
});

Deno.test("a world goes with the process that created it, even if that was killed", async () => {
  const script = `
    const { createWorld } = await import(${JSON.stringify(WORLD)});
    const world = await createWorld({ vms: [{ name: "work" }] });
    console.log(world.folder);
    Deno.kill(Deno.pid, "SIGKILL");
  `;
  const [, stdout] = await deno("eval", script);
  const folder = stdout.trim();
  await eventually("the world is gone", () => {
    try {
      Deno.statSync(folder);
      return false;
    } catch {
      return processesInside(folder, undefined).length === 0;
    }
  });
});
