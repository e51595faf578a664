// SPDX-License-Identifier: GPL-2.0-or-later
/** The text of "setup-vm --help". @module */

export const HELP = `setup-vm - make this VM an agent VM: OpenClaw, its proxy, their services

usage: setup-vm cursor|openai|anthropic|ollama|multi [OPTION]...
       setup-vm compatible URL [OPTION]...
       setup-vm --undo [--remove-data]

Run it as the user that the agent will run as. It first checks memory, disk,
Node, npm, network and the kind of VM; if something is missing, it says so and
changes nothing. Then it installs OpenClaw from the npm registry, checking each
package's hash and running no install scripts; writes ~/.openclaw (existing
files stay); opens the two ports to other VMs, guarded by dom0's policy; and
enables the services. It is safe to run again: what is already in place is left
alone. Each change is recorded beforehand in
~/.local/state/qubes-claw/setup-vm.json, and --undo reverts these changes.

providers:
  cursor, openai, anthropic, ollama
             one provider behind the proxy
  compatible URL
             one server that speaks as OpenAI does, with --model NAME: vLLM,
             llama.cpp, Mistral, OpenRouter, a server in another qube behind a
             tunnel. URL is what /chat/completions is put behind
  multi      all of them: each model has others to fall back on

which VM gets what:
  (neither)     the agent, and the proxy with the keys beside it
  --keys        this VM is the key qube: the proxy and the keys, no agent
  --key-qube    this VM is the agent of a key qube: it has no keys and needs no
                network; a tunnel leads to the key qube's proxy

where it goes:
  StandaloneVM  /usr/lib/qubes-claw/openclaw
  template      the same, for its VMs; run setup-vm in each of them as well
  AppVM         the template's, if it has it; else ~/.local/lib/qubes-claw

options:
  --user-units          user services (systemctl --user). The default is system
                        services, which start in VMs with the qvm-service flags
                        openclaw-proxy, -gateway, -watchdog, -tunnels: setup-dom0
                        sets them, or: qvm-service VM openclaw-proxy on
  --proxy-port PORT     32125
  --gateway-port PORT   18789
  --model NAME          with compatible: the server's model that "auto" stands for
  --agent-vm VM         with --keys: an agent VM that the new proxy.json lets in;
                        may be given more than once
  --mcp                 let the agent administer this Qubes with qvm-remote mcp, as
                        far as dom0's policy goes: one MCP server in
                        openclaw.json. On a terminal you are asked
  --no-mcp              not that, without a question; takes back an earlier --mcp
  --only-files          write only the files in the home: for a container
  --anyway              go on even if there is too little memory or disk
  -n, --dry-run         print every command it would run; change nothing
  --verify              only report what is in place and what is missing
  --undo                revert what setup-vm changed; keys, tokens and the
                        agent's history stay
  --remove-data         with --undo: remove these as well, once you type "yes"
  -y, --yes             answer questions with yes
  --json                plan, result or verification for machines
  --version, -h, --help

examples:
  setup-vm --dry-run multi
  setup-vm multi
  setup-vm anthropic --user-units
  setup-vm compatible http://127.0.0.1:8000/v1 --model qwen3-32b
  setup-vm multi --keys --agent-vm claw   in the VM that holds the keys
  setup-vm multi --key-qube        in the agent VM that goes with it: claw
  setup-vm --undo

exit codes: 0 everything is in place, 1 failed or something is missing, 2 usage
`;
