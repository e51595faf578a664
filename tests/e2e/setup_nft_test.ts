// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The rules of network mode in real kernels: network namespaces stand for a machine outside,
 * sys-net, sys-firewall, the agent VM and another VM, with the tables that Qubes loads. Needs
 * root, ip, nft and namespaces; passed over elsewhere.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { parsePrivateIpv4, parseUserPort } from "../../dom0/setup/network_address.ts";
import { agentBlock, netvmBlock } from "../../dom0/setup/network_rules.ts";
import { blockScript } from "../../dom0/setup/vm_block.ts";

/** As network/qubes-ipv4.nft of qubes-core-agent-linux does it: drop, but for what is named. */
const QUBES_TABLE = `table ip qubes {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifgroup 2 accept
    oif lo accept
    masquerade
  }
  chain custom-input {}
  chain custom-forward {}
  chain input {
    type filter hook input priority filter; policy drop;
    jump custom-input
    ct state invalid counter drop
    ct state related,established accept
    iif lo accept
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    jump custom-forward
    ct state invalid counter drop
    ct state related,established accept
    oifgroup 2 counter drop
  }
}
`;
const AGENT = parsePrivateIpv4("10.137.0.100");
const OTHER_VM = "10.137.0.9";
const FIREWALL = parsePrivateIpv4("10.138.1.2");
const SYS_NET = "192.168.7.2";
const PORTS = [parseUserPort("a", "32125"), parseUserPort("b", "18789")] as const;

Deno.test({
  name: "network mode opens the two ports to VMs and outside, nothing else, and closes them again",
  ignore: !await canMakeNamespaces(),
  async fn() {
    const tag = `qcs${crypto.randomUUID().slice(0, 5)}`;
    const inside = (vm: string): string => `${tag}-${vm}`;
    const folder = await Deno.makeTempDir();
    const sh = (script: string, vm?: string) =>
      run(vm === undefined ? [] : ["ip", "netns", "exec", inside(vm)], script, folder, vm);
    const vms = ["out", "net", "fw", "agent", "vm"];
    const servers: Deno.ChildProcess[] = [];
    try {
      for (const vm of vms) await sh(`ip netns add ${inside(vm)}; mkdir -p ${folder}/${vm}`);
      for (const vm of vms) await sh("ip link set lo up", vm);
      // name of the link above, of the one below, and their addresses
      const join = async (
        upper: string,
        lower: string,
        up: string,
        down: string,
        route: string,
      ) => {
        await sh(
          `ip link add ${tag}u type veth peer name ${tag}d
ip link set ${tag}u netns ${inside(upper)} name vif-${lower}
ip link set ${tag}d netns ${inside(lower)} name eth0`,
        );
        await sh(`ip addr add ${up} dev vif-${lower}; ip link set vif-${lower} up`, upper);
        await sh(
          `ip addr add ${down} dev eth0; ip link set eth0 up; ${route}`,
          lower,
        );
      };
      await join("out", "net", "192.168.7.1/24", `${SYS_NET}/24`, "true");
      await join(
        "net",
        "fw",
        "10.138.1.1/24",
        `${FIREWALL}/24`,
        "ip route add default via 10.138.1.1",
      );
      const viaFirewall =
        "ip route add 10.137.255.1 dev eth0; ip route add default via 10.137.255.1";
      await join("fw", "agent", "10.137.255.1/32", `${AGENT}/32`, viaFirewall);
      await join("fw", "vm", "10.137.255.1/32", `${OTHER_VM}/32`, viaFirewall);
      await sh(`ip route add ${AGENT} dev vif-agent; ip route add ${OTHER_VM} dev vif-vm`, "fw");
      await sh("ip link set vif-fw group 2", "net");
      await sh(
        "ip link set vif-agent group 2; ip link set vif-vm group 2; ip link set eth0 group 1",
        "fw",
      );
      for (const vm of ["net", "fw"]) await sh("sysctl -q -w net.ipv4.ip_forward=1", vm);
      await Deno.writeTextFile(`${folder}/qubes.nft`, QUBES_TABLE);
      for (const vm of ["net", "fw", "agent", "vm"]) await sh(`nft -f ${folder}/qubes.nft`, vm);
      for (const port of [...PORTS, 22222]) servers.push(await serve(inside("agent"), port));

      const reach = async (from: string, address: string, port: number): Promise<string> =>
        (await sh(connectScript(address, port), from)).stdout.trim();
      const all = async (): Promise<readonly string[]> => [
        await reach("out", SYS_NET, 32125),
        await reach("out", SYS_NET, 18789),
        await reach("vm", AGENT, 32125),
        await reach("vm", AGENT, 18789),
      ];
      const never = async (): Promise<readonly string[]> => [
        await reach("out", SYS_NET, 22222),
        await reach("vm", AGENT, 22222),
        await reach("vm", FIREWALL, 32125), // the netvm itself offers nothing to the VMs below it
      ];
      const closed = ["", "", "", ""];
      assertEquals(await all(), closed);
      const blocks = [
        ["agent", agentBlock(AGENT, PORTS)],
        ["fw", netvmBlock(AGENT, true, PORTS)],
        ["net", netvmBlock(FIREWALL, false, PORTS)],
      ] as const;
      for (const [vm, block] of blocks) {
        assertEquals((await sh(blockScript("look", block), vm)).code, 41);
        for (let twice = 0; twice < 2; twice++) await good(sh(blockScript("put", block), vm));
        assertEquals((await sh(blockScript("look", block), vm)).code, 0);
      }
      assertEquals(await all(), ["32125", "18789", "32125", "18789"]);
      assertEquals(await never(), ["", "", ""]);

      for (const [vm, block] of blocks) {
        await good(sh(blockScript("take", block), vm));
        assertEquals(
          (await sh(`nft list ruleset | grep -c -e openclaw -e qubes-claw`, vm)).stdout,
          "0\n",
        );
      }
      assertEquals(await all(), closed);
    } finally {
      for (const server of servers) {
        server.kill("SIGKILL");
        await server.stdout.cancel();
        await server.status;
      }
      for (const vm of vms) await sh(`ip netns del ${inside(vm)} 2>/dev/null || true`);
      await Deno.remove(folder, { recursive: true });
    }
  },
});

const DENO = Deno.execPath();

/** Answers each connection with its own port. */
async function serve(namespace: string, port: number): Promise<Deno.ChildProcess> {
  const code = `const l = Deno.listen({ hostname: "127.0.0.1", port: ${port} });
console.log("up");
for await (const c of l) { await c.write(new TextEncoder().encode("${port}")); c.close(); }`;
  const child = new Deno.Command("ip", {
    args: ["netns", "exec", namespace, DENO, "eval", code],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read(); // "up"
  reader.releaseLock();
  return child;
}

/** bash connects; a dropped packet is given up after a second. */
function connectScript(address: string, port: number): string {
  return `timeout 1 bash -c 'exec 3<>/dev/tcp/${address}/${port} && cat <&3' 2>/dev/null || true`;
}

async function run(prefix: readonly string[], script: string, folder: string, vm?: string) {
  const [program = "sh", ...args] = [...prefix, "sh", "-c", script];
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args,
    env: { QUBES_CLAW_ROOT: `${folder}/${vm}` },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

async function good(ending: ReturnType<typeof run>): Promise<void> {
  const { code, stdout, stderr } = await ending;
  assertEquals(code, 0, stdout + stderr);
}

async function canMakeNamespaces(): Promise<boolean> {
  try {
    const { code } = await new Deno.Command("unshare", {
      args: ["--net", "sh", "-c", "ip link set lo up && nft list ruleset && nft add table ip x"],
      stdout: "null",
      stderr: "null",
    }).output();
    return Deno.uid() === 0 && code === 0;
  } catch {
    return false;
  }
}
