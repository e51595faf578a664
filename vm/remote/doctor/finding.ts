// SPDX-License-Identifier: GPL-2.0-or-later
/** What the doctor says of one thing. @module */

export const SUBJECTS = ["key", "service", "session", "clock", "policy", "version"] as const;

export interface Finding {
  readonly subject: typeof SUBJECTS[number];
  /** "unknown": it could not be asked. */
  readonly state: "ok" | "bad" | "unknown";
  /** One line. */
  readonly text: string;
  /** What to do about it; null: nothing. */
  readonly remedy: string | null;
}

export const ok = (subject: Finding["subject"], text: string): Finding => {
  return { subject, state: "ok", text, remedy: null };
};
export const bad = (subject: Finding["subject"], text: string, remedy: string): Finding => {
  return { subject, state: "bad", text, remedy };
};
export const unknown = (
  subject: Finding["subject"],
  text: string,
  remedy: string | null = null,
): Finding => ({ subject, state: "unknown", text, remedy });
