import { accent, chinese, control, mark, space, unnormalised } from "./character-classes.ts";
import { createCharsmap } from "./charsmap.ts";
import type { Part } from "./part.ts";
import { compilePattern } from "./patterns.ts";

export type Normalize = (text: string) => string;

type Form = "NFC" | "NFD" | "NFKC" | "NFKD";

const hasUnnormalised = new RegExp(unnormalised, "v");
const aroundUnnormalised = new RegExp(`(${unnormalised})`, "v");
const everyUnnormalised = new RegExp(unnormalised, "gv");

/** Normalises a text by Unicode's rules, characters that the reference does not know excepted. */
export function normalizeForm(text: string, form: Form): string {
  const normalized = hasUnnormalised.test(text)
    ? text.split(aroundUnnormalised).map((piece, i) => (i % 2 === 1 ? piece : normalizeKnown(piece, form)))
    : [normalizeKnown(text, form)];
  return normalized.join("");
}

function normalizeKnown(text: string, form: Form): string {
  const normalized = text.normalize(form);
  // Newer characters that it was composed to are decomposed again.
  return hasUnnormalised.test(normalized)
    ? normalized.replace(everyUnnormalised, (character) => character.normalize("NFD"))
    : normalized;
}

/** Lowers each character by itself: a sigma at a word's end, too. */
export const lowercase: Normalize = (text) => text.replaceAll("Σ", "σ").toLowerCase();

const everyControl = new RegExp(control, "gv");
const everySpace = new RegExp(space, "gv");
const everyChinese = new RegExp(chinese, "gv");
const everyAccent = new RegExp(accent, "gv");
const everyMark = new RegExp(mark, "gv");

function bert(part: Part): Normalize {
  const lowers = part.boolean("lowercase", true);
  const strips = part.optionalBoolean("strip_accents") ?? lowers;
  const steps: Normalize[] = [];
  if (part.boolean("clean_text", true)) steps.push((text) => text.replace(everyControl, "").replace(everySpace, " "));
  if (part.boolean("handle_chinese_chars", true)) steps.push((text) => text.replace(everyChinese, " $& "));
  if (strips) steps.push((text) => normalizeForm(text, "NFD").replace(everyAccent, ""));
  if (lowers) steps.push(lowercase);
  return (text) => steps.reduce((result, step) => step(result), text);
}

function strip(part: Part): Normalize {
  const left = part.boolean("strip_left", true) ? `^${space}+` : "";
  const right = part.boolean("strip_right", true) ? `(?<!${space})${space}+$` : "";
  const ends = [left, right].filter((end) => end !== "").join("|");
  const pattern = new RegExp(ends, "gv");
  return ends === "" ? (text) => text : (text) => text.replace(pattern, "");
}

function replace(part: Part): Normalize {
  const content = part.text("content");
  const pattern = compilePattern(part);
  return (text) => text.replace(pattern, () => content);
}

function prepend(part: Part): Normalize {
  const prefix = part.text("prepend");
  return (text) => (text === "" ? "" : prefix + text);
}

/**
 * Creates a normaliser of tokenizer.json.
 * @throws Error for one of another type or with options that are not obeyed.
 */
export function createNormalizer(part: Part): Normalize {
  const create = (): Normalize => {
    switch (part.type) {
      case "BertNormalizer":
        return bert(part);
      case "Lowercase":
        return lowercase;
      case "NFC":
      case "NFD":
      case "NFKC":
      case "NFKD": {
        const form = part.type;
        return (text) => normalizeForm(text, form);
      }
      case "Strip":
        return strip(part);
      case "StripAccents":
        return (text) => text.replace(everyMark, "");
      case "Replace":
        return replace(part);
      case "Precompiled":
        return createCharsmap(part.text("precompiled_charsmap", ""));
      case "Prepend":
        return prepend(part);
      case "Sequence": {
        const steps = part.parts("normalizers").map(createNormalizer);
        return (text) => steps.reduce((result, step) => step(result), text);
      }
      default:
        throw part.unknownType();
    }
  };
  const normalize = create();
  part.refuseOthers();
  return normalize;
}
