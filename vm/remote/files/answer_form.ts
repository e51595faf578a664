// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What stdout of an answer is: the "output" of a command, or one JSON text: the "value" of an
 * operation, the list of "operations", what dom0 "explained", the outcome of a "plan".
 *
 * @module
 */

const ANSWER_FORMS = ["output", "value", "operations", "explained", "plan"] as const;
export type AnswerForm = typeof ANSWER_FORMS[number];

export function isAnswerForm(untrustedWord: unknown): untrustedWord is AnswerForm {
  return ANSWER_FORMS.some((form) => form === untrustedWord);
}
