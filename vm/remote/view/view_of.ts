// SPDX-License-Identifier: GPL-2.0-or-later
/** Which view shows an answer. @module */

import type { AnswerForm } from "../files/answer_form.ts";
import type { AnswerView, ViewOptions } from "./answer_view.ts";
import { outputView } from "./output_view.ts";
import { planView } from "./plan_view.ts";
import { valueView } from "./value_view.ts";

export function viewOf(form: AnswerForm, options: ViewOptions): AnswerView {
  if (form === "output") return outputView(options);
  return form === "plan" ? planView(options) : valueView(form, options);
}
