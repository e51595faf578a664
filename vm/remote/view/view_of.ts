// SPDX-License-Identifier: GPL-2.0-or-later
/** The view for what an answer is. Loaded when it is needed, but for that of a command's output. @module */

import type { AnswerForm } from "../files/answer_form.ts";
import type { AnswerView, ViewOptions } from "./answer_view.ts";
import { outputView } from "./output_view.ts";

export async function viewOf(form: AnswerForm, options: ViewOptions): Promise<AnswerView> {
  if (form === "output") return outputView(options);
  if (form === "plan") return (await import("./plan_view.ts")).planView(options);
  return (await import("./value_view.ts")).valueView(form, options);
}
