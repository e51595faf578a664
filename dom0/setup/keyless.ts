// SPDX-License-Identifier: GPL-2.0-or-later
/** The names that mark an agent VM whose proxy is in a key qube. @module */

export const KEYLESS_TAG = "openclaw-keyless";
export const KEY_QUBE_FEATURE = "openclaw-key-qube";
/** Which key qube an agent VM gets that does not name one. */
export const KEYS_POLICY = "40-openclaw-keys.policy";
