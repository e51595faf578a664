# SPDX-License-Identifier: GPL-2.0-or-later
##
# qubes-claw.key-qube
# ===================
#
# The VM that has the proxy and the keys of its agent VMs. A proxy.json that is there stays as it is;
# the keys of the providers are not Salt's.
##

{%- from "qubes-claw/pillar.jinja" import claw with context %}
{%- set providers = [] %}
{%- set words = ['--keys', '--user-units'] %}
{%- for vm, agent in claw.agents.items() if agent.get('key-qube') == grains['id'] %}
{%-   do providers.append(agent.provider) %}
{%-   do words.extend(['--agent-vm', vm]) %}
{%- endfor %}
{%- set provider = providers[0] if providers | unique | list | length == 1 else 'multi' %}

qubes-claw-keys:
  cmd.run:
    - name: setup-vm --yes {{ provider }} {{ words | join(' ') }}
    - runas: user
    - unless: setup-vm --verify {{ provider }} {{ words | join(' ') }}
