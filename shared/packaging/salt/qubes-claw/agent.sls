# SPDX-License-Identifier: GPL-2.0-or-later
##
# qubes-claw.agent
# ================
#
# An agent VM: OpenClaw, its proxy or the way to its key qube, their services. The keys of the
# providers are not Salt's: put them into ~/.openclaw/proxy.env of the VM that has the proxy.
##

{%- from "qubes-claw/pillar.jinja" import claw with context %}
{%- set agent = claw.agents[grains['id']] %}
{%- set words = agent.provider ~ (' --key-qube' if 'key-qube' in agent else '') %}

qubes-claw-agent:
  cmd.run:
    - name: setup-vm --yes {{ words }}
    - runas: user
    - unless: setup-vm --verify {{ words }}
