// SPDX-License-Identifier: GPL-2.0-or-later
/** Why something could not be translated, in the words of its sender. @module */

/** Found in what a client or a provider sent. Its message holds names and paths, no content. */
export class TranslationError extends Error {
  override readonly name = "TranslationError";
  /**
   * @param path where, as "body.messages[2].content[0]"
   * @param problem what is wrong there
   * @param fix what to do about it; "" if nobody but the provider can
   */
  constructor(readonly path: string, readonly problem: string, readonly fix: string) {
    super(`${path}: ${problem}${fix === "" ? "" : `; ${fix}`}`);
  }
}
