# SPDX-License-Identifier: GPL-2.0-or-later
# Which qubes are what. Yours to edit. Every qube that Salt manages can read this: no secrets.

qubes-claw:
  # What a template gets: from a repository that it knows, or from files below /srv/user_salt.
  templates: {}
  #   fedora-42: [qubes-claw-runtime, qvm-remote, qubes-claw-vm]
  #   debian-13:
  #     qubes-claw-runtime: salt://packages/qubes-claw-runtime_2.0.0-1_amd64.deb
  #     qvm-remote: salt://packages/qvm-remote_2.0.0-1_amd64.deb

  # VMs that get a key, to be granted something in dom0.sls.
  senders: []
  #   - work

  # Agent VMs. With a key qube, the agent VM has no network, and no key of a provider.
  agents: {}
  #   claw:
  #     provider: openai          # cursor, openai, anthropic, ollama or multi
  #     template: fedora-42       # these three may be left out
  #     key-qube: claw-keys
  #     key-netvm: sys-firewall

  # VMs that reach an agent VM.
  clients: {}
  #   work: claw
