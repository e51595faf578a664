// SPDX-License-Identifier: GPL-2.0-or-later
/** The text of a file with the numbers of its lines, to be edited. @module */

import { type Html, lines, markup, textarea, when } from "../markup/markup.ts";

interface EditorLook {
  /** Of what it is the text. */
  readonly name: string;
  readonly isWrong: boolean;
  /** The id of what says what was found in it. */
  readonly found: string;
}

export function textEditor(text: string, { name, isWrong, found }: EditorLook): Html {
  const rows = text.split("\n").length;
  return markup`<div class="lines"><pre aria-hidden="true">${
    lines(Array.from({ length: rows }, (_, index) => String(index + 1)).join("\n"))
  }</pre>${
    textarea(
      markup`name="text" aria-label="Text of ${name}" rows="${rows}" spellcheck="false" wrap="off" aria-describedby="${found}"${
        when(isWrong, markup` aria-invalid="true"`)
      }`,
      text,
    )
  }</div>`;
}
