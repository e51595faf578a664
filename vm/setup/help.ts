// SPDX-License-Identifier: GPL-2.0-or-later
/** The text of "setup-vm --help". @module */

export const HELP = `setup-vm - make this VM an agent VM: OpenClaw, its proxy, their services

usage: setup-vm cursor|openai|anthropic|ollama|multi [OPTION]...
       setup-vm --undo [--remove-data]

Run it as the user that the agent is to run as. It looks first: memory, disk,
Node, npm, network, and what kind of VM this is; if something is missing, it
says so and changes nothing. Then it installs OpenClaw from the npm registry,
each package by its hash, without running an install script of any; writes
~/.openclaw (what is there, stays); opens the two ports to other VMs, which
dom0's policy guards; and enables the services. Run it again whenever you like:
what is so already is left alone. Each change is recorded first, in
~/.local/state/qubes-claw/setup-vm.json, and --undo takes back these changes.

providers:
  cursor, openai, anthropic, ollama
             one provider behind the proxy
  multi      all of them: each model has others that stand in for it

which VM gets what:
  (neither)     the agent, and the proxy with the keys beside it
  --keys        this VM is the key qube: the proxy and the keys, no agent
  --key-qube    this VM is the agent of a key qube: no keys here, and it needs
                no network. A tunnel leads to the proxy there

where it goes:
  StandaloneVM  /usr/lib/qubes-claw/openclaw
  template      the same, for its VMs; run setup-vm in each of them as well
  AppVM         the template's, if it has it; else ~/.local/lib/qubes-claw

options:
  --user-units          services of this VM's user (systemctl --user). Without it
                        they are the system's, and start where dom0 set the flags
                        openclaw-proxy, -gateway, -watchdog, -tunnels: setup-dom0
                        does so, or: qvm-service VM openclaw-proxy on
  --proxy-port PORT     32125
  --gateway-port PORT   18789
  --agent-vm VM         with --keys: an agent VM that the new proxy.json lets in;
                        may be given more than once
  --only-files          only the files in the home: for a container
  --anyway              go on although there is too little memory or disk
  -n, --dry-run         print every command it would run; change nothing
  --verify              only say what is there and what is missing
  --undo                take back what setup-vm changed; keys, tokens and the
                        agent's history stay
  --remove-data         with --undo: remove these as well, after you typed "yes"
  -y, --yes             answer questions with yes
  --json                plan, result or verification for machines
  --version, -h, --help

examples:
  setup-vm --dry-run multi
  setup-vm multi
  setup-vm anthropic --user-units
  setup-vm multi --keys --agent-vm claw   in the VM that holds the keys
  setup-vm multi --key-qube        in the agent VM that goes with it: claw
  setup-vm --undo

exit codes: 0 all is as wanted, 1 failed or something is missing, 2 usage
`;
