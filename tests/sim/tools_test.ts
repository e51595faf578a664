// SPDX-License-Identifier: GPL-2.0-or-later
/** The programs on PATH besides qrexec-client. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { eventually, finish, runDom0, spawnDom0 } from "./test_tools.ts";
import { createWorld, type World } from "./world.ts";

function threeVms(): Promise<World> {
  return createWorld({
    vms: [
      { name: "work", tags: ["lab", "audited"], label: "blue", prefs: { netvm: "net" } },
      { name: "net", klass: "StandaloneVM", running: false },
      { name: "vault", label: "black", running: false },
    ],
  });
}

Deno.test("qvm-check: codes and messages", async () => {
  await using world = await threeVms();
  const check = async (...args: string[]) => {
    const { code, stdout, stderr } = await runDom0(world, "qvm-check", ...args);
    return [code, stdout + stderr];
  };
  assertEquals(await check("work"), [0, "qvm-check: work: exists\n"]);
  assertEquals(await check("--running", "work"), [0, "qvm-check: work: running\n"]);
  assertEquals(await check("--running", "vault"), [1, "qvm-check: None of qubes: running\n"]);
  assertEquals(await check("-q", "--running", "vault"), [1, ""]);
  assertEquals(await check("-q", "--running", "work", "vault"), [3, ""]);
  assertEquals(await check("nobody"), [1, "qvm-check: nobody: non-existent!\n"]);
  await world.pauseVm("work");
  assertEquals(await check("--paused", "work"), [0, "qvm-check: work: paused\n"]);
  assertEquals(await check("-q", "--running", "work"), [0, ""]);
  assertEquals((await check())[0], 2);
});

Deno.test("qvm-ls: table, raw forms and filters", async () => {
  await using world = await threeVms();
  const ls = async (...args: string[]) => (await runDom0(world, "qvm-ls", ...args)).stdout;
  assertEquals(
    await ls(),
    "NAME   STATE    CLASS         LABEL  TEMPLATE  NETVM\n" +
      "dom0   Running  AdminVM       black  -         -\n" +
      "net    Halted   StandaloneVM  red    -         -\n" +
      "vault  Halted   AppVM         black  -         -\n" +
      "work   Running  AppVM         blue   -         net\n",
  );
  assertEquals(await ls("--raw-list"), "dom0\nnet\nvault\nwork\n");
  assertEquals(await ls("--raw-list", "--running"), "dom0\nwork\n");
  assertEquals(
    await ls("--raw-data", "--fields=name,state,xid"),
    "dom0|Running|0\nnet|Halted|-1\nvault|Halted|-1\nwork|Running|1\n",
  );
  assertEquals(await ls("--raw-data", "-O", "NAME,CLASS", "work"), "work|AppVM\n");
  assertEquals(await ls("--raw-list", "--tags", "lab"), "work\n");
  assertEquals(await ls("--raw-list", "--class", "AppVM", "--halted"), "vault\n");
  assertEquals((await runDom0(world, "qvm-ls", "nobody")).code, 2);
  assertStringIncludes(
    (await runDom0(world, "qvm-ls", "--nonsense")).stderr,
    "unrecognized arguments: --nonsense",
  );
});

Deno.test("qvm-start, -pause, -unpause, -shutdown and -kill", async () => {
  await using world = await threeVms();
  const run = async (...argv: string[]) => {
    const { code, stdout, stderr } = await runDom0(world, ...argv);
    return [code, stdout + stderr];
  };
  assertEquals(await run("qvm-start", "vault"), [0, ""]);
  assertEquals(world.powerState("vault"), "Running");
  assertEquals(await run("qvm-start", "vault"), [
    1,
    "Error: Starting qube failed: vault: Domain is already running\n",
  ]);
  assertEquals(await run("qvm-start", "--skip-if-running", "vault"), [0, ""]);
  assertEquals(await run("qvm-pause", "vault"), [0, ""]);
  assertEquals(world.powerState("vault"), "Paused");
  assertEquals(await run("qvm-unpause", "vault"), [0, ""]);
  assertEquals(await run("qvm-unpause", "vault"), [
    1,
    "Error: Failed to unpause/resume: vault: Domain is not paused: 'vault'\n",
  ]);
  assertEquals(await run("qvm-shutdown", "--wait", "vault"), [0, ""]);
  assertEquals(world.powerState("vault"), "Halted");
  assertEquals(await run("qvm-shutdown", "vault"), [0, ""]);
  assertEquals(await run("qvm-shutdown", "work"), [0, ""]);
  await eventually("work halts", () => world.powerState("work") === "Halted");
  assertEquals(await run("qvm-kill", "work"), [0, ""]);
  assertEquals(await run("qvm-start", "work", "net"), [0, ""]);
  assertEquals(await run("qvm-kill", "--all", "--exclude", "net"), [0, ""]);
  assertEquals([world.powerState("work"), world.powerState("net")], ["Halted", "Running"]);
  const [code, text] = await run("qvm-kill", "nobody");
  assertEquals(code, 2);
  assertStringIncludes(String(text), "qvm-kill: error: no such domain: 'nobody'\n");
});

Deno.test("qvm-prefs, qvm-tags, qvm-features and qvm-service", async () => {
  await using world = await threeVms();
  const run = async (...argv: string[]) => {
    const { code, stdout } = await runDom0(world, ...argv);
    return [code, stdout];
  };
  assertEquals(await run("qvm-prefs", "work", "netvm"), [0, "net\n"]);
  assertEquals(await run("qvm-prefs", "work", "netvm", "none"), [0, ""]);
  assertEquals(await run("qvm-prefs", "work", "netvm"), [0, ""]);
  assertEquals(await run("qvm-prefs", "work", "autostart", "yes"), [0, ""]);
  assertEquals(await run("qvm-prefs", "--get", "work", "autostart"), [0, "True\n"]);
  assertEquals((await run("qvm-prefs", "work", "autostart", "perhaps"))[0], 1);
  assertEquals((await run("qvm-prefs", "work", "netvm", "nobody"))[0], 1);
  assertEquals((await run("qvm-prefs", "work", "no_such"))[0], 2);
  assertEquals(await run("qvm-prefs", "-D", "work", "autostart"), [0, ""]);
  assertEquals(await run("qvm-prefs", "work", "autostart"), [0, "False\n"]);
  assertStringIncludes(
    String((await run("qvm-prefs", "work"))[1]),
    "\nlabel               D  blue\n",
  );

  assertEquals(await run("qvm-tags", "work"), [0, "audited\nlab\n"]);
  assertEquals(await run("qvm-tags", "work", "list", "lab"), [0, "lab\n"]);
  assertEquals(await run("qvm-tags", "work", "ls", "other"), [1, ""]);
  assertEquals(await run("qvm-tags", "work", "add", "one", "two"), [0, ""]);
  assertEquals(await run("qvm-tags", "work", "del", "lab"), [0, ""]);
  assertEquals(await run("qvm-tags", "work"), [0, "audited\none\ntwo\n"]);

  assertEquals(await run("qvm-features", "work", "os"), [1, ""]);
  assertEquals(await run("qvm-features", "work", "os", "Linux"), [0, ""]);
  assertEquals(await run("qvm-features", "work", "os"), [0, "Linux\n"]);
  assertEquals(await run("qvm-features", "--unset", "work", "os"), [0, ""]);
  assertEquals(await run("qvm-service", "work", "crond", "on"), [0, ""]);
  assertEquals(await run("qvm-service", "work", "crond"), [0, "on\n"]);
  assertEquals(await run("qvm-service", "--disable", "work", "crond"), [0, ""]);
  assertEquals(await run("qvm-service", "work"), [0, "crond  off\n"]);
  assertEquals(await run("hostname"), [0, "dom0\n"]);
});

Deno.test("qvm-run goes through a shell in the VM, with its traps", async () => {
  await using world = await threeVms();
  world.installService("work", "test.Echo", "#!/bin/sh\nexec cat\n");
  const run = async (input: string, ...args: string[]) => {
    const { code, stdout, stderr } = await finish(spawnDom0(world, ["qvm-run", ...args]), input);
    return [code, stdout, stderr];
  };
  assertEquals(await run("", "-p", "work", "echo $HOSTNAME-$0; exit 3"), [3, await hostName(), ""]);
  assertEquals(await run("data", "-p", "work", "cat"), [0, "data", ""]);
  assertEquals(await run("echo STDIN-RUN-AS-SHELL\n", "-p", "work", "echo a # c"), [
    0,
    "a\nSTDIN-RUN-AS-SHELL\n",
    "",
  ]);
  assertEquals(await run("", "work", "exit 4"), [
    4,
    "",
    "Running 'exit 4' on work\nwork: command failed with code: 4\n",
  ]);
  assertEquals(await run("", "-q", "work", "echo x"), [0, "", ""]);
  assertEquals(await run("x", "-p", "--service", "work", "test.Echo"), [0, "x", ""]);
  assertEquals(await run("", "-p", "work", "--", "printf", "%s|", "a b", "-c", "$HOME", ""), [
    0,
    "a b|-c|$HOME||",
    "",
  ]);
  assertEquals(await run("", "-p", "-n", "vault", "true"), [1, "", ""]);
  assertEquals(await run("", "-n", "vault", "true"), [1, "", "Qube 'vault' not started\n"]);
  assertEquals(await run("", "-p", "vault", "echo up"), [0, "up\n", ""]);
  assertEquals(world.powerState("vault"), "Running");
  assertEquals((await run("", "-p", "nobody", "true"))[0], 2);

  async function hostName(): Promise<string> {
    const { stdout } = await new Deno.Command("/bin/bash", { args: ["-c", "echo $HOSTNAME"] })
      .output();
    return `${new TextDecoder().decode(stdout).trim()}-${
      world.vmRoot("work")
    }/etc/qubes-rpc/qubes.VMShell\n`;
  }
});

Deno.test("killing qvm-run leaves its qrexec-client and the remote alone", async () => {
  await using world = await threeVms();
  const child = spawnDom0(world, ["qvm-run", "-p", "work", "echo up; exec cat"]);
  const reader = child.stdout.getReader();
  assertEquals(new TextDecoder().decode((await reader.read()).value), "up\n");
  child.kill("SIGKILL");
  await child.status;
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("still there"));
  assertEquals(new TextDecoder().decode((await reader.read()).value), "still there");
  await writer.close();
  await reader.read();
  await child.stderr.cancel();
});

Deno.test("a VM knows its name, and its calls are refused unless the policy allows", async () => {
  await using world = await createWorld({
    vms: [{ name: "client" }, { name: "agent", tags: ["servers"], running: false }],
    policy: [
      "# service  argument  source  target  action",
      "test.Echo   +ok       client  @tag:servers  allow",
      "test.Dflt   *         client  @default      allow target=agent",
      "test.Echo   *         @anyvm  @anyvm        deny",
    ],
  });
  world.installService(
    "agent",
    "test.Echo",
    '#!/bin/sh\necho "$QREXEC_REMOTE_DOMAIN [$1]"; exec cat\n',
  );
  world.installService("agent", "test.Dflt", "#!/bin/sh\necho default; exit 5\n");
  const inVm = (argv: string[], input = "") =>
    finish(
      world.runInVm("client", argv, { stdin: "piped", stdout: "piped", stderr: "piped" }),
      input,
    );
  assertEquals((await inVm(["qubesdb-read", "/name"])).stdout, "client\n");
  assertEquals((await inVm(["qubesdb-read", "/type"])).stdout, "AppVM\n");
  assertEquals((await inVm(["hostname"])).stdout, "client\n");
  assertEquals(
    (await inVm(["env", "-i", `${world.vmBin}/qubesdb-read`, "/name"])).stdout,
    "client\n",
  );
  const allowed = await inVm(["qrexec-client-vm", "agent", "test.Echo+ok"], "data");
  assertEquals(allowed, { code: 0, stdout: "client [ok]\ndata", stderr: "" });
  assertEquals((await inVm(["qrexec-client-vm", "@default", "test.Dflt"])).code, 5);
  for (
    const [target = "", service = ""] of [["agent", "test.Echo+no"], ["dom0", "test.Echo+ok"], [
      "client",
      "test.Echo+ok",
    ]]
  ) {
    const refused = await inVm(["qrexec-client-vm", target, service]);
    assertEquals([refused.code, refused.stderr], [126, "Request refused\n"], target);
  }
  assertEquals((await inVm(["qrexec-client-vm", "agent"])).code, 2);
});

Deno.test("qvm-device: one VM has a device, and gives it back", async () => {
  await using world = await createWorld({
    vms: [{ name: "work" }, { name: "lab", running: false }],
  });
  const run = async (...argv: string[]) => {
    const { code, stdout } = await runDom0(world, "qvm-device", ...argv);
    return [code, stdout];
  };
  const line = "dom0:sdb  Flash disk (64 GB)";
  assertEquals(await run("block", "list"), [0, `${line}  \n`]);
  assertEquals(await run("usb", "list"), [0, ""]);
  assertEquals((await run("block", "attach", "lab", "dom0:sdb"))[0], 1, "it does not run");
  assertEquals(await run("block", "attach", "--ro", "work", "dom0:sdb"), [0, ""]);
  assertEquals(await run("block", "list"), [0, `${line}  work (attached)\n`]);
  assertEquals((await run("block", "attach", "work", "dom0:sdb"))[0], 1, "it has it");
  assertEquals((await run("block", "attach", "work", "dom0:sdz"))[0], 1, "there is none");
  assertEquals(await run("block", "detach", "work", "dom0:sdb"), [0, ""]);
  assertEquals((await run("block", "detach", "work", "dom0:sdb"))[0], 1);
  assertEquals((await run("tape", "list"))[0], 2);
});

Deno.test("qvm-create, qvm-firewall, qvm-remove and systemctl", async () => {
  await using world = await createWorld({
    vms: [
      { name: "fedora", klass: "TemplateVM", tags: ["own"], features: { os: "x" }, running: false },
      { name: "work", running: false },
    ],
    globals: { default_template: "fedora" },
  });
  const run = async (...argv: string[]) => {
    const { code, stdout } = await runDom0(world, ...argv);
    return [code, stdout];
  };
  assertEquals(await run("qubes-prefs", "default_template"), [0, "fedora\n"]);
  const create = ["qvm-create", "--class", "StandaloneVM", "--template", "fedora"];
  assertEquals((await run(...create, "new"))[0], 2, "a label is mandatory");
  assertEquals((await run(...create, "-l", "pink", "new"))[0], 2);
  assertEquals((await run(...create, "-l", "red", "work"))[0], 1, "it exists");
  assertEquals((await run(...create, "-l", "red", "bad;name"))[0], 1);
  assertEquals(await run(...create, "-l", "red", "new"), [0, ""]);
  assertEquals(await run("qvm-tags", "new"), [0, "created-by-dom0\nown\n"]);
  assertEquals(await run("qvm-features", "new", "os"), [0, "x\n"]);
  assertEquals(await run("qvm-start", "new"), [0, ""]);
  assertEquals(await run("qvm-run", "-p", "new", "echo up"), [0, "up\n"]);
  const inDisposable = await run(
    "qvm-run",
    "--dispvm",
    "new",
    "-p",
    "echo in $QREXEC_REMOTE_DOMAIN; exit 3",
  );
  assertEquals(inDisposable, [3, "in dom0\n"]);
  assertEquals(String(await run("qvm-ls", "--raw-list")).includes("disp"), false, "it is gone");
  assertEquals((await run("qvm-remove", "--force", "new"))[0], 1, "it runs");
  assertEquals(await run("qvm-shutdown", "--wait", "new"), [0, ""]);
  assertEquals((await run("qvm-remove", "new"))[0], 1, "nobody said yes");
  assertEquals(await run("qvm-remove", "--force", "new"), [0, ""]);
  assertEquals((await run("qvm-check", "-q", "new"))[0], 1);

  const rules = () => run("qvm-firewall", "--raw", "work", "list");
  assertEquals(await rules(), [0, "action=accept\n"]);
  assertEquals(await run("qvm-firewall", "work", "add", "--before", "0", "action=drop"), [0, ""]);
  assertEquals(await run("qvm-firewall", "work", "add", "accept", "10.0.0.1", "tcp", "80"), [
    0,
    "",
  ]);
  const third = "action=accept dsthost=10.0.0.1 proto=tcp dstports=80\n";
  assertEquals(await rules(), [0, `action=drop\naction=accept\n${third}`]);
  assertEquals(await run("qvm-firewall", "work", "del", "--rule-no", "0"), [0, ""]);
  assertEquals((await run("qvm-firewall", "work", "del", "--rule-no", "7"))[0], 1);
  assertEquals((await run("qvm-firewall", "work", "allow"))[0], 2);
  assertEquals(await run("qvm-firewall", "work", "reset"), [0, ""]);
  assertEquals(await rules(), [0, "action=accept\n"]);

  assertEquals((await run("systemctl", "enable", "no.service"))[0], 1);
  const units = `${world.dom0Root}/usr/lib/systemd/system`;
  await Deno.mkdir(units, { recursive: true });
  await Deno.writeTextFile(`${units}/a.service`, "[Unit]\n");
  assertEquals(await run("systemctl", "is-enabled", "a.service"), [1, "disabled\n"]);
  assertEquals(await run("systemctl", "enable", "--now", "a.service"), [0, ""]);
  assertEquals(await run("systemctl", "is-active", "--quiet", "a.service"), [0, ""]);
  assertEquals((await run("systemctl", "--frobnicate", "a.service"))[0], 1);
});

Deno.test("qvm-backup and qvm-backup-restore: what is chosen goes in, and what is not taken comes back", async () => {
  await using world = await createWorld({
    vms: [
      { name: "work" },
      { name: "vault", running: false },
      { name: "skip", running: false, prefs: { include_in_backups: "False" } },
    ],
  });
  const run = async (...argv: readonly string[]) => {
    const { code, stdout, stderr } = await runDom0(world, argv[0] ?? "", ...argv.slice(1));
    return [code, stdout, stderr] as const;
  };
  const folder = `${world.dom0Root}/mnt/backup`;
  await Deno.mkdir(folder, { recursive: true });
  await Deno.mkdir(`${world.dom0Root}/root`, { recursive: true });
  await Deno.writeTextFile(`${world.dom0Root}/root/pass`, "secret\n");
  await Deno.writeTextFile(`${world.dom0Root}/root/wrong`, "other\n");
  const [made] = await run("qvm-backup", "--yes", "-p", "/root/pass", "-x", "vault", "/mnt/backup");
  assertEquals(made, 0);
  const [nowhere, , why] = await run("qvm-backup", "--yes", "-p", "/root/pass", "/mnt/none");
  assertEquals(nowhere, 1);
  assertMatch(why, /\/mnt\/none does not exist/);
  const [{ name } = { name: "" }] = await Array.fromAsync(Deno.readDir(folder));
  const backup = `/mnt/backup/${name}`;
  const restore = (pass: string, ...words: readonly string[]) =>
    run("qvm-backup-restore", "-p", `/root/${pass}`, "--skip-dom0-home", ...words, backup);
  assertEquals((await restore("pass", "--verify-only")).slice(0, 2), [0, "work  AppVM\n"]);
  assertEquals((await restore("wrong", "--verify-only"))[0], 1);
  const [taken, , conflict] = await restore("pass");
  assertEquals(taken, 1);
  assertMatch(conflict, /conflicting names/);
  assertEquals((await restore("pass", "--rename-conflicting"))[0], 0);
  assertEquals((await run("qvm-check", "--quiet", "work1"))[0], 0);
});
