# SPDX-License-Identifier: GPL-2.0-or-later
##
# qubes-claw.template
# ===================
#
# A template, or a StandaloneVM: its packages. Nothing is enabled by them.
##

{%- from "qubes-claw/pillar.jinja" import claw with context %}
{%- set packages = claw.templates[grains['id']] %}

qubes-claw-packages:
  pkg.installed:
{%- if packages is mapping %}
    - sources:
{%-   for name, file in packages.items() %}
      - {{ name | json }}: {{ file | json }}
{%-   endfor %}
{%- else %}
    - pkgs: {{ packages | json }}
{%- endif %}
