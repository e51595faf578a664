# SPDX-License-Identifier: GPL-2.0-or-later
##
# qubes-claw
# ==========
#
# dom0: the packages, agent VMs, the tags of clients, and which VM may send which commands. What there
# is to do is done by the project's own programs, which check their words and keep their records; a
# state asks first whether all is as wanted, so that a second run changes nothing.
#
# Pillar: ``qubes-claw``, in /srv/pillar/base/qubes-claw/
#
# Execute:
#   qubesctl top.enable qubes-claw
#   qubesctl top.enable qubes-claw pillar=true
#   qubesctl --all state.highstate
##

{%- from "qubes-claw/pillar.jinja" import claw, refuse with context %}
{%- if (claw.agents or claw.dom0.agent) and claw.dom0.agent not in claw.agents %}
{%-   do refuse('dom0:agent', 'to which agent VM do the ports of dom0 lead? One of ' ~ claw.agents | join(', ')) %}
{%- endif %}
{%- set needed = [] %}
{%- if claw.dom0.packages %}
{%-   do needed.append('qubes-claw-packages') %}

qubes-claw-packages:
  pkg.installed:
    - pkgs: {{ claw.dom0.packages | json }}
{%- endif %}

{%- for vm, agent in claw.agents.items() %}
{%-   set words = ['--agent-vm', vm] + ([] if vm == claw.dom0.agent else ['--keep-tunnels']) %}
{%-   for key in ['template', 'key-qube', 'key-netvm'] if key in agent %}
{%-     do words.extend(['--' ~ key, agent[key]]) %}
{%-   endfor %}

# --yes: that a key qube takes the agent VM's network away has been asked for in the pillar.
qubes-claw-agent-{{ vm }}:
  cmd.run:
    - name: setup-dom0 --yes {{ words | join(' ') }}
    - unless: setup-dom0 --verify {{ words | join(' ') }}
    - require: {{ needed | json }}
{%- endfor %}

{%- for vm in claw.clients %}

qubes-claw-client-{{ vm }}:
  qvm.tags:
    - name: {{ vm | json }}
    - add: [openclaw-client]
{%- endfor %}

{%- if claw.dom0.rules %}

/etc/qubes/remote-policy.d/40-salt.policy:
  file.managed:
    - contents: {{ claw.dom0.rules | json }}
    - user: root
    - group: root
    - mode: '0600'
    - require: {{ needed | json }}

# Says what is wrong with the rules, at each run, until they are good.
qubes-claw-rules:
  cmd.run:
    - name: qvm-remote-dom0 policy check
    - unless: qvm-remote-dom0 policy check
    - require:
      - file: /etc/qubes/remote-policy.d/40-salt.policy
{%- endif %}

{%- for vm in claw.revoked %}

qubes-claw-revoked-{{ vm }}:
  cmd.run:
    - name: qvm-remote-dom0 revoke {{ vm }}
    - onlyif: qvm-remote-dom0 keys | cut -d ' ' -f 1 | grep -Fqx {{ vm }}
    - require: {{ needed | json }}
{%- endfor %}

{%- for vm, right in claw.grants.items() %}
{%-   set grant = '--grant ' ~ right.grant ~ (' --scope ' ~ right.scope if 'scope' in right else '') %}
{%-   set written = '# Written by: qvm-remote-dom0 authorize ' ~ vm ~ ' ' ~ grant %}
{%-   set key = vm | replace('.', '[.]') ~ ' +' ~ right.fingerprint %}

# The key comes from the running VM, and counts only with the fingerprint that is given here. Rules
# that a person edited afterwards stay, as long as the grant is the same.
qubes-claw-grant-{{ vm }}:
  cmd.run:
    - name: qvm-remote-dom0 authorize --fetch --fingerprint {{ right.fingerprint }} {{ grant }} {{ vm }}
    - unless: {{ ("qvm-remote-dom0 keys | grep -Eqx '" ~ key ~ "' && grep -Fqx '" ~ written ~ "' /etc/qubes/remote-policy.d/50-" ~ vm ~ '.policy') | json }}
    - require: {{ needed | json }}
{%- endfor %}

{%- if claw.dom0.enabled %}

qvm-remote-dom0:
  service.running:
    - enable: true
    - require: {{ needed | json }}
{%- endif %}
