import { UsageError } from "#platform/errors.ts";
import type { TextTokenizer } from "./text-tokenizer.ts";

const file = "tokenizer_config.json";

/** Classes of tokenizers that obey tokenizer_config.json where tokenizer.json says another thing. */
const obeysCase = /^(Bert|ConvBert|DistilBert|Electra|Funnel|LayoutLM|Lxmert|MobileBert|MPNet|Splinter)/;
const obeysEnds = /^(CodeLlama|Gemma|Llama)/;

/** Options of tokenizer_config.json, those of BERT's normaliser that they override, and the latter's defaults. */
const normalizerOptions = [
  ["do_lower_case", "lowercase", true],
  ["strip_accents", "strip_accents", null],
  ["tokenize_chinese_chars", "handle_chinese_chars", true],
] as const;

type Config = Readonly<Record<string, unknown>>;

function refuseOtherNormalizer(normalizer: Config | null | undefined, config: Config): void {
  if (normalizer?.["type"] !== "BertNormalizer") return;
  for (const [option, own, otherwise] of normalizerOptions) {
    const wanted = config[option];
    const stated = normalizer[own] ?? otherwise;
    if (typeof wanted === "boolean" && wanted !== stated)
      throw new UsageError(
        `${file}: ${option}: expected ${stated}, as normalizer.${own} of tokenizer.json says, got ${wanted}`,
      );
  }
}

function contentOf(token: unknown): string | undefined {
  const content = typeof token === "object" && token !== null ? (token as { content?: unknown }).content : token;
  return typeof content === "string" ? content : undefined;
}

/**
 * Refuses a tokenizer whose tokenizer_config.json says another thing than its tokenizer.json: the former counts for those who made the model's
 * vectors with transformers, the latter for all others.
 * @param definition the parsed tokenizer.json
 * @param config the parsed tokenizer_config.json
 * @param tokenizer made of the definition
 */
export function refuseContradictions(
  definition: object,
  config: object,
  { idMarks, tokenName }: Pick<TextTokenizer, "idMarks" | "tokenName">,
): void {
  const options = config as Config;
  const className = String(options["tokenizer_class"]);
  if (obeysCase.test(className))
    refuseOtherNormalizer((definition as { readonly normalizer?: Config | null }).normalizer, options);
  const ends = [
    { option: "add_bos_token", token: contentOf(options["bos_token"]), id: idMarks.before[0], where: "begins" },
    { option: "add_eos_token", token: contentOf(options["eos_token"]), id: idMarks.after.at(-1), where: "ends" },
  ];
  for (const { option, token, id, where } of ends) {
    const wanted = options[option];
    const isObeyed = obeysEnds.test(className) || (option === "add_eos_token" && wanted === true);
    if (!isObeyed || typeof wanted !== "boolean" || token === undefined) continue;
    const isThere = id !== undefined && tokenName(id) === token;
    if (isThere !== wanted)
      throw new UsageError(
        `${file}: ${option}: expected ${isThere}, as post_processor of tokenizer.json ${where} ${isThere ? "" : "no "}texts with ${token}, got ${wanted}`,
      );
  }
}
