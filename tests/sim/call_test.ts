// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { readTextIfAny } from "./files.ts";
import { call, eventually, rpc, runDom0 } from "./test_tools.ts";
import { createWorld } from "./world.ts";
import { writeExecutable } from "../executable.ts";

Deno.test("exit codes of qrexec-client are those of qrexec.md 4.1", async () => {
  await using world = await createWorld({
    vms: [{ name: "work" }, { name: "off", running: false }],
  });
  const { folder } = world;
  world.installService("work", "test.Exit", '#!/bin/sh\nexit "$1"\n');
  world.installService("work", "test.NoInterpreter", "#!/no/such/program\n");
  world.installService("work", "test.NoFormat", "just text\n");
  world.installService("work", "test.Dangling", { symlinkTo: "/no/such/file" });
  world.installService("work", "test.NotExecutable", "#!/bin/sh\n");
  Deno.chmodSync(`${folder}/vms/work/etc/qubes-rpc/test.NotExecutable`, 0o644);
  const cases: [command: string, code: number, stderr: string][] = [
    [rpc("test.Exit+0"), 0, ""],
    [rpc("test.Exit+3"), 3, ""],
    [rpc("test.Exit+255"), 255, ""],
    ["user:exit 300", 44, ""],
    ["user:kill -KILL $$", 137, ""],
    ["user:kill -TERM $$", 143, ""],
    [rpc("test.Missing"), 127, ""],
    [rpc("test.Dangling"), 127, ""],
    [rpc("test.NoInterpreter"), 127, ""],
    ["user:no-such-program 2>/dev/null", 127, ""],
    [rpc("test.NotExecutable"), 125, ""],
    [rpc("test.NoFormat"), 125, ""],
    ["nobody-here:true", 125, ""],
    ["no colon", 125, ""],
    ["DEFAULT:QUBESRPC test.Exit+0", 125, ""],
    ["DEFAULT:QUBESRPC test.Exit+0 dom0 name", 125, ""],
    ["DEFAULT:QUBESRPC test.Exit+0 dom0 name work", 0, ""],
    ["DEFAULT:nogui:QUBESRPC test.Exit+4 dom0", 4, ""],
  ];
  for (const [command, code, stderr] of cases) {
    const ended = await call(world, "work", command);
    assertEquals([ended.code, ended.stderr], [code, stderr], command);
  }
  for (const vm of ["off", "unknown"]) {
    const ended = await call(world, vm, rpc("test.Exit+0"));
    assertEquals(ended.code, 125);
    assertMatch(
      ended.stderr,
      new RegExp(`connect .*/qrexec\\.${vm}: No such file or directory\n$`),
    );
  }
  assertStringIncludes(world.vmLog("work"), "Service not found: test.Missing+");
  assertStringIncludes(world.vmLog("work"), "Unknown service type");
});

Deno.test("a service sees the variables of qrexec.md 4.7 and nothing of the test", async () => {
  Deno.env.set("SIM_TEST_SECRET", "leaked");
  await using world = await createWorld({ vms: [{ name: "work" }] });
  world.installService(
    "work",
    "test.Show",
    '#!/bin/sh\nenv\necho "cwd=$PWD args=$# first=$1"\necho note >&2\n',
  );
  const show = async (command: string) => (await call(world, "work", command)).stdout.split("\n");
  const home = world.vmHome("work");

  const plain = await show(rpc("test.Show"));
  assertEquals(plain.includes(`cwd=${home} args=0 first=`), true);
  assertEquals(plain.some((line) => line.startsWith("QREXEC_SERVICE_ARGUMENT=")), false);
  for (
    const line of [
      `HOME=${home}`,
      "USER=user",
      "QREXEC_SERVICE_FULL_NAME=test.Show",
      "QREXEC_REMOTE_DOMAIN=dom0",
      "QREXEC_REQUESTED_TARGET_TYPE=",
    ]
  ) assertEquals(plain.includes(line), true, line);
  assertEquals(plain.some((line) => /^QREXEC_AGENT_PID=\d+$/.test(line)), true);
  assertEquals(plain.some((line) => line.includes("leaked")), false);
  assertEquals(
    plain.find((line) => line.startsWith("PATH="))?.startsWith(`PATH=${world.vmBin}:`),
    true,
  );

  const empty = await show(rpc("test.Show+"));
  assertEquals(empty.includes("QREXEC_SERVICE_ARGUMENT="), true);
  assertEquals(empty.includes(`cwd=${home} args=0 first=`), true);

  const odd = await show(rpc("test.Show+a+b$(id);x"));
  assertEquals(odd.includes("QREXEC_SERVICE_ARGUMENT=a+b$(id);x"), true);
  assertEquals(odd.includes(`cwd=${home} args=1 first=a+b$(id);x`), true);
  assertStringIncludes(world.vmLog("work"), "test.Show+-dom0: note");
  Deno.env.delete("SIM_TEST_SECRET");
});

Deno.test("services are looked up with their argument first, and by folder", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const root = world.vmRoot("work");
  const put = (dir: string, name: string) =>
    writeExecutable(`${root}/${dir}/${name}`, `#!/bin/sh\necho ${dir} ${name}\n`);
  const ask = async (service: string) => (await call(world, "work", rpc(service))).stdout.trim();
  put("etc/qubes-rpc", "test.Where");
  assertEquals(await ask("test.Where"), "etc/qubes-rpc test.Where");
  put("usr/local/etc/qubes-rpc", "test.Where");
  assertEquals(await ask("test.Where+x"), "usr/local/etc/qubes-rpc test.Where");
  put("run/qubes-rpc", "test.Where");
  assertEquals(await ask("test.Where+x"), "run/qubes-rpc test.Where");
  put("etc/qubes-rpc", "test.Where+x");
  assertEquals(await ask("test.Where+x"), "etc/qubes-rpc test.Where+x");
  put("etc/qubes-rpc", "test.Where+");
  assertEquals(await ask("test.Where"), "etc/qubes-rpc test.Where+");
});

Deno.test("a bad value in rpc-config fails every call, an unknown key none", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  world.installService("work", "test.Who", '#!/bin/sh\necho "$USER"\n');
  world.configureService("work", "test.Who", [
    "# comment",
    "no-such-key = 1",
    "force-user = 'root'",
  ]);
  assertEquals((await call(world, "work", rpc("test.Who"))).stdout, "root\n");
  world.configureService("work", "test.Who", ["exit-on-client-eof=perhaps"]);
  assertEquals((await call(world, "work", rpc("test.Who"))).code, 125);
  world.configureService("work", "test.Who", ["force-user='root'", "exit-on-client-eof=true"]);
  assertEquals((await call(world, "work", rpc("test.Who"))).code, 125);
  world.configureService("work", "test.Who", ["exit-on-client-eof=true"]);
  assertEquals((await call(world, "work", rpc("test.Who"))).stdout, "user\n");
});

Deno.test("-E gives 0, -e does not wait, -p comes first, -t and -T replace bytes", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  world.installService(
    "work",
    "test.Echo",
    "#!/bin/sh\ncat; cat /dev/null; printf 'e\\033\\n' >&2\n",
  );
  world.installService(
    "work",
    "test.Late",
    '#!/bin/sh\nuntil [ -e $HOME/go ]; do sleep 0.05; done; echo "$1" >$HOME/late\n',
  );
  assertEquals((await call(world, "work", "user:exit 9", "", "-E")).code, 0);
  const odd = "a\x1b[31mb\u00e9\t\r\n";
  const kept = await call(world, "work", rpc("test.Echo"), odd, "-p", "first ");
  assertEquals([kept.stdout, kept.stderr], [`first ${odd}`, "e\x1b\n"]);
  const replaced = await call(world, "work", rpc("test.Echo"), odd, "-t", "-T");
  assertEquals([replaced.stdout, replaced.stderr], ["a_[31mb__\t\r\n", "e_\n"]);

  assertEquals((await call(world, "work", rpc("test.Late+x"), "", "-e")).code, 0);
  assertEquals((await call(world, "work", rpc("test.Missing"), "", "-e")).code, 127);
  const late = () => readTextIfAny(`${world.vmHome("work")}/late`);
  assertEquals(late(), undefined, "-e waited");
  Deno.writeTextFileSync(`${world.vmHome("work")}/go`, "");
  await eventually("the service ran", () => late() === "x\n");
});

Deno.test("qrexec-client takes its options as getopt does", async () => {
  await using world = await createWorld({ vms: [{ name: "work" }] });
  const client = (...args: string[]) => runDom0(world, "qrexec-client", ...args);
  const help = await client("--help");
  assertEquals([help.code, help.stderr], [0, ""]);
  assertStringIncludes(help.stdout, "usage: qrexec-client");
  assertEquals((await client("user:true")).code, 1);
  assertEquals((await client("-d", "work")).code, 1);
  assertEquals((await client("-p", "a", "-p", "b", "-d", "work", "user:true")).code, 2);
  assertEquals((await client("-dwork", "-Ew5", "user:exit 4")).code, 0);
  assertEquals((await client("-w", "soon", "-d", "work", "user:true")).code, 1);
  const refused = await client("-l", "true", "-d", "work", "user:true");
  assertEquals(refused.code, 1);
  assertStringIncludes(refused.stderr, "has no option -l");
  const elsewhere = await client(`--socket-dir=${world.folder}`, "-d", "work", "user:true");
  assertEquals(elsewhere.code, 125);
  assertStringIncludes(elsewhere.stderr, `connect ${world.folder}/qrexec.work: No such file`);
});
