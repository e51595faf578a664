// SPDX-License-Identifier: GPL-2.0-or-later
/** Names by which an agent VM is known whose proxy is in a key qube. @module */

export const KEYLESS_TAG = "openclaw-keyless";
export const KEY_QUBE_FEATURE = "openclaw-key-qube";
/** Which key qube an agent VM reaches that names none. */
export const KEYS_POLICY = "40-openclaw-keys.policy";
