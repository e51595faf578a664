// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The tunnels' units in dom0, under a real systemd: users of their own that may open what a call
 * opens, and share what they take of the machine's vchans.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { bootDom0, type Dom0Machine, WORLD } from "./qubes_machine.ts";

const REMOTE = 4000;
const DENO = "/usr/local/bin/deno";
const ECHO = `for await (const c of Deno.listen({ hostname: "127.0.0.1", port: ${REMOTE} }))
  c.readable.pipeTo(c.writable).catch(() => {});`;

/** Ten connections to each of these ports at once: how many are answered. */
const asks = (...ports: readonly number[]): string =>
  `const ask = async (port) => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(new Uint8Array(1));
    return [conn, await conn.read(new Uint8Array(1)).catch(() => null)];
  };
  const all = [${ports}].flatMap((port) => Array.from({ length: 10 }, () => ask(port)));
  const asked = await Promise.all(all);
  console.log(asked.filter(([, got]) => got === 1).length);
  for (const [conn] of asked) conn.close();`;

const script = (code: string): string => `${DENO} eval --quiet '${code}'`;

/** Each instance leads to the one port that the "VM" has; the machine's ports are its own, too. */
async function addInstance(dom0: Dom0Machine, port: number, words: string): Promise<void> {
  const folder = `/etc/systemd/system/openclaw-tunnel@${port}.service.d`;
  await dom0.good(`mkdir -p ${folder} && cat >${folder}/test.conf`, {
    input: `[Service]\nExecStart=\nExecStart=/usr/bin/openclaw-tunnel ${words} ${port}:${REMOTE}\n`,
  });
}

Deno.test("the tunnels' units: calls get through, and all of them leave vchans for others", async () => {
  await using dom0 = await bootDom0([{ name: "claw" }]);
  const rpc = `${WORLD}/vms/claw/etc/qubes-rpc`;
  await dom0.good(
    `set -e
    echo OPENCLAW_VM=claw >/etc/qubes/openclaw.conf
    ln -s /dev/tcp/127.0.0.1 ${rpc}/qubes.ConnectTCP+${REMOTE}
    mkdir -p ${rpc}/../qubes/rpc-config
    echo skip-service-descriptor=true >${rpc}/../qubes/rpc-config/qubes.ConnectTCP+${REMOTE}
    cat >${rpc}/openclaw.Mux+${REMOTE}
    chmod 755 ${rpc}/openclaw.Mux+${REMOTE}`,
    {
      input: "#!/bin/sh\nexport QUBES_CLAW_LIB=/opt/vm/usr/lib/qubes-claw\n" +
        'exec /opt/vm/usr/lib/qubes-claw/openclaw.Mux "$@"\n',
    },
  );
  for (const [port, words] of [[8000, ""], [8001, "--direct"], [8002, "--direct"]] as const) {
    await addInstance(dom0, port, words);
  }
  const echo = dom0.spawn(script(ECHO));
  await dom0.good(`systemctl daemon-reload; systemctl start openclaw-tunnel@{8000,8001,8002}`);
  assertEquals(await dom0.good("systemctl list-units --failed --no-legend"), "");
  assertEquals(await dom0.good(script(asks(8000))), "10\n");
  assertEquals(await dom0.good(script(asks(8001, 8002))), "12\n", "of 20, of 31 that Xen has");
  const status = await dom0.good("openclaw-tunnel status");
  assertStringIncludes(status, "mode: persistent");
  assertMatch(status, /connections with a qrexec call of their own: [0-9]+ of at most 12\n/);
  assertStringIncludes(
    await dom0.good("journalctl -u openclaw-tunnel@8001 -u openclaw-tunnel@8002"),
    "too many",
  );

  // Killed, it leaves nothing that would count.
  await dom0.good(
    "systemctl kill --signal=KILL openclaw-tunnel@8001; systemctl stop openclaw-tunnel@{8001,8002}",
  );
  await dom0.good("systemctl start openclaw-tunnel@8002");
  assertEquals(await dom0.good(script(asks(8002))), "10\n");

  // The kernel's own number, which the unit writes down: here of a file in its place.
  const line = await dom0.good(
    "grep ^ExecStartPre= /usr/lib/systemd/system/openclaw-tunnel@.service",
  );
  const other = line.replace(/ \/sys\/module\/xen_gntalloc\/parameters\/limit /, " /run/limit ");
  assert(other !== line, line);
  await dom0.good("cat >/etc/systemd/system/openclaw-tunnel@8002.service.d/limit.conf", {
    input: `[Service]\nExecStartPre=\n${other}`,
  });
  await dom0.good(`set -e
    echo 512 >/run/limit
    systemctl daemon-reload
    systemctl restart openclaw-tunnel@8002`);
  assertEquals(await dom0.good(script(asks(8002))), "6\n");
  echo.kill();
  await echo.status;
});

Deno.test("a unit whose list of devices lacks one that a call opens is told as this machine's failure", async () => {
  await using dom0 = await bootDom0([{ name: "claw" }]);
  await addInstance(dom0, 8000, "--vm claw");
  await dom0.good(`cat >/etc/systemd/system/openclaw-tunnel@8000.service.d/devices.conf`, {
    input: "[Service]\nDeviceAllow=\nDeviceAllow=/dev/xen/evtchn rw\n",
  });
  await dom0.good("systemctl daemon-reload; systemctl start openclaw-tunnel@8000");
  assertEquals(await dom0.good(script(asks(8000))), "0\n");
  const said = await dom0.good("journalctl -u openclaw-tunnel@8000 -o cat");
  assertStringIncludes(said, "this machine has no vchan for the call");
  assertStringIncludes(said, "xencall: error");
});
