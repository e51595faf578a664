# SPDX-License-Identifier: GPL-2.0-or-later
##
# qubes-claw.client
# =================
#
# A VM that reaches an agent VM: which one, and the service of its user that does it, from the next
# login on.
##

{%- from "qubes-claw/pillar.jinja" import claw with context %}
{%- set home = '/home/user/.config' %}

{{ home }}/openclaw/connect.conf:
  file.managed:
    - contents: OPENCLAW_VM={{ claw.clients[grains['id']] }}
    - user: user
    - group: user
    - mode: '0644'
    - makedirs: true

# As "systemctl --user enable" makes it, for which the user would have to be logged in.
{{ home }}/systemd/user/default.target.wants/openclaw-connect.service:
  file.symlink:
    - target: /usr/lib/systemd/user/openclaw-connect.service
    - user: user
    - group: user
    - makedirs: true
