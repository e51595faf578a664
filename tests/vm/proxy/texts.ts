// SPDX-License-Identifier: GPL-2.0-or-later
/** Texts such as models read and write, and mixtures of them from a seed. @module */

const root = new URL("../../../", import.meta.url);
const read = (path: string): string => Deno.readTextFileSync(new URL(path, root));

const number = (at: number): number => (at * 2654435761) >>> 0;
const times = (count: number, line: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => line(at)).join("");

/** Each of some hundred tokens at least. */
export const SAMPLES: Readonly<Record<string, string>> = {
  prose: read("README.md").slice(0, 12_000),
  licence: read("LICENSE").slice(0, 12_000),
  TypeScript: read("vm/proxy/http/server.ts"),
  shell: read("shared/packaging/build-script"),
  "a makefile": read("Makefile").slice(0, 12_000),
  "a manual page": read("vm/packaging/openclaw-proxy.1"),
  JSON: read("deno.json"),
  "a tool's arguments": times(
    30,
    (at) =>
      JSON.stringify({ path: `/home/user/src/file${at}.ts`, command: "grep -rn foo .", limit: at }),
  ),
  "a table": times(40, (at) => `| row ${at} | ${at * at} | some text here |\n`),
  "a log": times(
    40,
    (at) => `2026-11-28T06:${at % 60}:12.345Z INFO proxy[${at * 37}]: status=200 ms=${at * 3}\n`,
  ),
  numbers: times(300, (at) => `${number(at) % 1_000_000}, `),
  hexadecimal: times(80, (at) => number(at).toString(16).padStart(8, "0")),
  German: times(
    8,
    () =>
      "Künstliche Intelligenz verändert rasch, wie wir arbeiten. Viele Unternehmen verwenden " +
      "inzwischen große Sprachmodelle, um Programme zu schreiben und Unterlagen zu verfassen.\n",
  ),
  French: times(
    8,
    () =>
      "L'intelligence artificielle change rapidement notre façon de travailler. De nombreuses " +
      "entreprises ont commencé à utiliser de grands modèles pour écrire des programmes.\n",
  ),
  Polish: times(
    8,
    () =>
      "Sztuczna inteligencja szybko zmienia sposób, w jaki pracujemy. Wiele firm zaczęło używać " +
      "dużych modeli językowych, żeby pisać programy i odpowiadać na pytania klientów.\n",
  ),
  Turkish: times(
    8,
    () =>
      "Yapay zekâ çalışma biçimimizi hızla değiştiriyor. Birçok şirket program yazmak ve " +
      "müşterilerin sorularını yanıtlamak için büyük dil modelleri kullanmaya başladı.\n",
  ),
  Spanish: times(
    8,
    () =>
      "La inteligencia artificial cambia rápidamente nuestra forma de trabajar. Muchas empresas " +
      "han empezado a usar grandes modelos para escribir programas y redactar documentos.\n",
  ),
  Russian: times(
    8,
    () =>
      "Искусственный интеллект быстро меняет то, как мы работаем. Многие компании начали " +
      "использовать большие языковые модели, чтобы отвечать на вопросы клиентов.\n",
  ),
  Chinese: times(
    8,
    () =>
      "人工智能正在迅速改变我们的工作方式。许多公司开始使用大型语言模型来编写代码、撰写文档，并回答客户的问题。\n",
  ),
  Japanese: times(
    8,
    () =>
      "人工知能は私たちの働き方を急速に変えています。多くの企業が大規模言語モデルを使って文書を作成しています。\n",
  ),
  Korean: times(
    8,
    () =>
      "인공지능은 우리가 일하는 방식을 빠르게 바꾸고 있습니다. 많은 회사가 언어 모델을 사용하여 문서를 만듭니다.\n",
  ),
  Arabic: times(
    8,
    () =>
      "الذكاء الاصطناعي يغير بسرعة طريقة عملنا. بدأت شركات كثيرة في استخدام نماذج لغوية كبيرة.\n",
  ),
};

/** From 0 to below 1, the same for each seed. */
export function seeded(seed: number): () => number {
  let state = seed * 7919 + 1;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

/** Passages of the samples, one behind the other. */
export function mixedText(random: () => number, chars: number): string {
  const all = Object.values(SAMPLES);
  let text = "";
  while (text.length < chars) {
    const sample = all[Math.floor(random() * all.length)] ?? "";
    const from = Math.floor(random() * Math.max(1, sample.length - 400));
    text += sample.slice(from, from + 100 + Math.floor(random() * 300)) + "\n";
  }
  return text.slice(0, chars).toWellFormed();
}
