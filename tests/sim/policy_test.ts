// SPDX-License-Identifier: GPL-2.0-or-later
/** Calls between simulated VMs pass the policy files of the simulated dom0, as tags and states are now. */
import { assertEquals } from "@std/assert";
import { PROJECT } from "../policy/call_table.ts";
import { finish } from "./test_tools.ts";
import { createWorld } from "./world.ts";

const ECHO = '#!/bin/sh\necho "$QREXEC_SERVICE_FULL_NAME from $QREXEC_REMOTE_DOMAIN"\n';
const REFUSED = { code: 126, stdout: "", stderr: "Request refused\n" };

Deno.test("the policy files of this project decide calls in the simulation", async (t) => {
  await using world = await createWorld({
    vms: [
      { name: "agent", tags: ["openclaw-server"] },
      { name: "work", tags: ["openclaw-client"] },
      { name: "personal" },
    ],
  });
  for (const vm of ["agent", "work"]) {
    for (const service of ["qubes.ConnectTCP", "openclaw.Mux", "qvmremote.Queue"]) {
      world.installService(vm, service, ECHO);
    }
  }
  const policyDir = `${world.dom0Root}/etc/qubes/policy.d`;
  const call = (source: string, target: string, service: string) =>
    finish(
      world.runInVm(source, ["qrexec-client-vm", target, service], {
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }),
      "",
    );
  const answered = (text: string) => ({ code: 0, stdout: `${text}\n`, stderr: "" });

  await t.step("without a policy file every call is refused", async () => {
    assertEquals(await call("work", "agent", "openclaw.Mux+32125"), REFUSED);
  });
  for (const name of ["30-qvm-remote.policy", "50-openclaw.policy"]) {
    await Deno.copyFile(`${PROJECT}/policies/${name}`, `${policyDir}/${name}`);
  }
  await t.step("a client reaches the two ports, in both forms", async () => {
    for (const service of ["qubes.ConnectTCP", "openclaw.Mux"]) {
      for (const port of [32125, 18789]) {
        const name = `${service}+${port}`;
        assertEquals(await call("work", "agent", name), answered(`${name} from work`));
      }
    }
  });
  await t.step("nothing else is reached", async () => {
    const calls = [
      ["work", "agent", "qubes.ConnectTCP+22"],
      ["work", "agent", "openclaw.Mux+32125,x"],
      ["work", "agent", "qvmremote.Queue+key"],
      ["work", "@default", "openclaw.Mux+32125"],
      ["work", "dom0", "openclaw.Mux+32125"],
      ["personal", "agent", "openclaw.Mux+32125"],
      ["agent", "work", "qubes.ConnectTCP+32125"],
    ] as const;
    for (const [source, target, service] of calls) {
      assertEquals(await call(source, target, service), REFUSED, `${source} ${target} ${service}`);
    }
  });
  await t.step("a tag counts from when it is given until it is taken", async () => {
    await tag("add");
    const name = "openclaw.Mux+32125";
    assertEquals(await call("personal", "agent", name), answered(`${name} from personal`));
    await tag("del");
    assertEquals(await call("personal", "agent", name), REFUSED);
  });
  await t.step("a broken file refuses every call until it is mended", async () => {
    await Deno.writeTextFile(`${policyDir}/99-user.policy`, "* * work agent alow\n");
    assertEquals(await call("work", "agent", "openclaw.Mux+32125"), REFUSED);
    await Deno.remove(`${policyDir}/99-user.policy`);
    assertEquals((await call("work", "agent", "openclaw.Mux+32125")).code, 0);
  });
  await t.step("a halted agent VM is not started by a call", async () => {
    await world.shutdownVm("agent");
    assertEquals(await call("work", "agent", "openclaw.Mux+32125"), REFUSED);
    assertEquals(world.powerState("agent"), "Halted");
  });

  async function tag(change: "add" | "del"): Promise<void> {
    const { code } = await new Deno.Command(`${world.dom0Bin}/qvm-tags`, {
      args: ["personal", change, "openclaw-client"],
      clearEnv: true,
      env: world.dom0Env(),
    }).output();
    assertEquals(code, 0);
  }
});
