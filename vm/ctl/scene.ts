// SPDX-License-Identifier: GPL-2.0-or-later
/** What the commands of openclaw-ctl work with. @module */

import type { Ask } from "../probe/http_answer.ts";
import type { Run } from "../probe/run_program.ts";
import type { VmSettings } from "../settings/vm_settings.ts";
import type { ShakeHands } from "./gateway_socket.ts";

/** Where things lie. */
export interface CtlPlaces {
  readonly home: string;
  /** QUBES_CLAW_ROOT, for tests; else empty. */
  readonly root: string;
  /** The folder of the user's session in /run. */
  readonly runtime: string;
}

export interface Scene {
  readonly places: CtlPlaces;
  readonly settings: VmSettings;
  readonly ask: Ask;
  readonly run: Run;
  readonly shakeHands: ShakeHands;
  readonly nowMs: () => number;
}

/** What a command found. Its text and its JSON say the same. */
export interface Outcome {
  readonly ok: boolean;
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
}

/** How long one server may take to answer. */
export const ANSWER_MS = 5_000;

export const tokenPath = ({ home }: CtlPlaces): string => `${home}/.openclaw/gateway-token`;
export const openclawJsonPath = ({ home }: CtlPlaces): string => `${home}/.openclaw/openclaw.json`;
