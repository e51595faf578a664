# SPDX-License-Identifier: GPL-2.0-or-later
# What dom0 gets, and what it lets VMs do. Yours to edit; nothing happens until you do.

qubes-claw:
  dom0:
    packages: []
    # - qubes-claw-runtime
    # - qvm-remote-dom0
    # - qubes-claw-dom0

    # Whether the daemon of qvm-remote runs. "false" does not stop one that does.
    enabled: false

    # Which agent VM the ports of dom0 lead to, if there are several.
    agent: ''

    # Rules of your own, before those of the grants: /etc/qubes/remote-policy.d/40-salt.policy.
    rules: ''

  # One for each VM that may send commands. The fingerprint is what "qvm-remote key fingerprint"
  # prints in that VM, and you have compared it: there is no grant without one.
  grants: {}
  #   work:
  #     fingerprint: 0123-4567-89ab-cdef-0123-4567-89ab-cdef
  #     grant: manage             # monitor, ask, manage or full
  #     scope: '@tag:lab'         # may be left out: then it is about all qubes
  #   deploy:
  #     fingerprint: fedc-ba98-7654-3210-fedc-ba98-7654-3210
  #     grant: full
  #     accept: whoever controls deploy controls dom0

  # A VM that is taken out above keeps what it has; one that is named here loses it.
  revoked: []
