# SPDX-License-Identifier: GPL-2.0-or-later
##
# qubes-claw.sender
# =================
#
# A VM that is to send commands to dom0: its key, made in the VM. Compare the fingerprint that
# "qvm-remote key fingerprint" prints there, and put it into the pillar, grants:VM:fingerprint.
##

qubes-claw-key:
  cmd.run:
    - name: qvm-remote key gen
    - runas: user
    - creates: /home/user/.qvm-remote/auth.key
