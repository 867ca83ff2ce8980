import { asSecondText } from "#agent/serving/worker/token-types.ts";
import { Part } from "./parts/part.ts";

/** Special tokens around one text or two, as the tokenizer's post-processor sets them, each marked with its type (token-types.ts). */
export interface TokenTemplate {
  readonly before: readonly number[];
  readonly between: readonly number[];
  readonly after: readonly number[];
  /** Token type of the second text's own tokens. */
  readonly secondType: 0 | 1;
}

export interface TokenTemplates {
  readonly single: TokenTemplate;
  readonly pair: TokenTemplate;
}

const none: TokenTemplate = { before: [], between: [], after: [], secondType: 0 };
const without: TokenTemplates = { single: none, pair: { ...none, secondType: 1 } };

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

function takeToken(part: Part, name: string): number {
  const token = part.take(name);
  const id = Array.isArray(token) ? token[1] : undefined;
  if (!Number.isInteger(id)) throw part.refuse(name, "a token with its id", token);
  return id as number;
}

function bert(part: Part): TokenTemplates {
  const cls = takeToken(part, "cls");
  const sep = takeToken(part, "sep");
  const single = { ...none, before: [cls], after: [sep] };
  return { single, pair: { before: [cls], between: [sep], after: [asSecondText(sep)], secondType: 1 } };
}

/** Has only one token type. */
function roberta(part: Part): TokenTemplates {
  const cls = takeToken(part, "cls");
  const sep = takeToken(part, "sep");
  part.take("trim_offsets");
  part.take("add_prefix_space"); // only of places in the text
  const single = { ...none, before: [cls], after: [sep] };
  return { single, pair: { ...single, between: [sep, sep] } };
}

/** Reads one list of a template: special tokens and the texts A and B. */
function readTemplate(part: Part, name: string, idsOf: ReadonlyMap<string, readonly number[]>): TokenTemplate | null {
  const list = part.take(name);
  if (!Array.isArray(list)) throw part.refuse(name, "a list", list);
  const found: number[][] = [[]];
  const texts: string[] = [];
  let secondType: 0 | 1 = 0;
  for (const [i, item] of list.entries()) {
    const { SpecialToken: token, Sequence: text } = isObject(item) ? item : {};
    const kind = isObject(text) ? "Sequence" : "SpecialToken";
    const type = isObject(text) ? text["type_id"] : isObject(token) ? token["type_id"] : 0;
    if (type !== 0 && type !== 1) throw part.refuse(`${name}.${i}.${kind}.type_id`, "0 or 1", type);
    if (isObject(text)) {
      texts.push(String(text["id"]));
      found.push([]);
      if (text["id"] === "B") secondType = text["type_id"] === 1 ? 1 : 0;
      else if (text["type_id"] !== 0) throw part.refuse(`${name}.${i}.Sequence.type_id`, "0", text["type_id"]);
      continue;
    }
    const ids = isObject(token) ? idsOf.get(String(token["id"])) : undefined;
    if (ids === undefined || !isObject(token))
      throw part.refuse(`${name}.${i}`, "a text or one of special_tokens", item);
    for (const id of ids) found.at(-1)?.push(token["type_id"] === 1 ? asSecondText(id) : id);
  }
  if (name === "pair" && texts.join() === "A") return null;
  if (texts.join() !== (name === "pair" ? "A,B" : "A"))
    throw part.refuse(name, name === "pair" ? "the texts A and B in this order" : "the text A once", list);
  const [before = [], middle = [], after = []] = found;
  return name === "pair" ? { before, between: middle, after, secondType } : { ...none, before, after: middle };
}

function template(part: Part): TokenTemplates {
  const tokens = part.take("special_tokens");
  const idsOf = new Map<string, readonly number[]>();
  for (const [name, token] of Object.entries(isObject(tokens) ? tokens : {}))
    if (isObject(token) && Array.isArray(token["ids"])) idsOf.set(name, token["ids"]);
  const single = readTemplate(part, "single", idsOf) as TokenTemplate;
  // Without a template for pairs, the one for a single text is put around both.
  return { single, pair: readTemplate(part, "pair", idsOf) ?? single };
}

function sequence(part: Part): TokenTemplates {
  const found = part
    .parts("processors")
    .map(readProcessor)
    .filter((each) => each !== without);
  if (found.length > 1) throw part.refuse("processors", "at most one that adds tokens", found.length);
  return found[0] ?? without;
}

function readProcessor(part: Part): TokenTemplates {
  const read = (): TokenTemplates => {
    switch (part.type) {
      case "BertProcessing":
        return bert(part);
      case "RobertaProcessing":
        return roberta(part);
      case "TemplateProcessing":
        return template(part);
      case "ByteLevel":
        for (const name of ["add_prefix_space", "trim_offsets", "use_regex"]) part.take(name);
        return without;
      case "Sequence":
        return sequence(part);
      default:
        throw part.unknownType();
    }
  };
  const templates = read();
  part.refuseOthers();
  return templates;
}

/**
 * Reads the tokens that a tokenizer's post-processor sets around one text and around two.
 * @throws Error for a post-processor of another type, with options that are not obeyed, or that puts the second text before the first.
 */
export function tokenTemplates(postProcessor: unknown): TokenTemplates {
  return postProcessor ? readProcessor(new Part(postProcessor, "post_processor")) : without;
}
