// SPDX-License-Identifier: GPL-2.0-or-later
/** The text of "setup-dom0 --help". @module */

export const HELP = `setup-dom0 - make this Qubes ready for OpenClaw: VMs, tags, policy, tunnels

usage: setup-dom0 AGENT-VM [TEMPLATE] [NETVM] [IP] [tunnel|network]
       setup-dom0 AGENT-VM --admin-vm ADMIN-VM [OPTIONS]
       setup-dom0 AGENT-VM [TEMPLATE] --key-qube KEY-QUBE [OPTIONS]
       setup-dom0 --undo [--remove-vms]

Creates AGENT-VM, or adopts it if it exists: then its class, template, label
and memory stay as they are. It is safe to run again: what is already in place
is left alone. Each change is recorded beforehand in
/var/lib/openclaw/setup.json, and --undo reverts exactly these changes.

modes:
  tunnel    dom0, and VMs tagged openclaw-client, reach the agent through
            qrexec; dom0's policy decides. The default.
  network   also a fixed address, open to every VM and machine that can reach
            it. Explains what that gives up, and asks.

arguments, also available as options (--agent-vm, --template, --netvm, --ip,
--mode):
  TEMPLATE  for a new VM (default: this system's default template)
  NETVM     its way to the model providers; "none" for none (default: unchanged)
  IP        the fixed address of network mode (default: 10.137.0.100)

options:
  --admin-vm VM          also create or adopt a VM from which to manage the agent:
                         AppVM, blue, no network, firewall closed, qrexec only
  --admin-template T     its template, if it is created
  --admin-netvm NETVM    its netvm; its firewall still drops every packet
  --key-qube VM          recommended for agents: also create or adopt a VM that has
                         the proxy, the providers' keys and the network (AppVM,
                         gray). The agent VM then has no netvm and no key, and its
                         port of the proxy is a tunnel to that VM
  --key-template T       its template, if it is created
  --key-netvm NETVM      its netvm (default: the default netvm, or unchanged)
  --class standalone|app the class of AGENT-VM, if it is created (standalone)
  --label COLOUR         its label, if it is created (orange)
  --memory MIB, --maxmem MIB
                         2000 and 6000, if it is created
  --proxy-port PORT      32125
  --gateway-port PORT    18789
  --inter-vm             also install 30-openclaw-inter-vm.policy: clients may
                         then run commands in the agent VM and copy files
  --keep-tunnels         AGENT-VM is one more: the ports of dom0 go on leading to
                         the one they lead to
  -n, --dry-run          print every command it would run; change nothing
  --verify               only report what is in place and what is missing
  --undo                 revert what setup changed. VMs that it created are kept,
                         so that no data is lost
  --remove-vms           with --undo: remove these VMs, once you type "yes"
  -y, --yes              answer questions with yes
  --json                 plan, result or verification for machines
  --version, -h, --help

examples:
  setup-dom0 --dry-run claw fedora-42 sys-firewall
  sudo setup-dom0 claw fedora-42 sys-firewall
  sudo setup-dom0 claw fedora-42 sys-firewall 10.137.0.100 network
  sudo setup-dom0 claw fedora-42 --key-qube claw-keys --key-netvm sys-firewall
  sudo setup-dom0 claw --admin-vm claw-admin --admin-template fedora-42
  sudo setup-dom0 --undo

exit codes: 0 everything is in place, 1 failed or something is missing, 2 usage
`;

export const INTER_VM_WARNING =
  `--inter-vm gives up the isolation between client VMs and the agent VM: a VM tagged
openclaw-client may run any command in the agent VM, and files can be copied between them.
`;
