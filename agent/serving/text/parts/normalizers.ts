import { accent, chinese, control, mark, space, unnormalised } from "./character-classes.ts";
import { createCharsmap } from "./charsmap.ts";
import type { Part } from "./part.ts";
import { createReplace } from "./replace.ts";

/**
 * Normalises a text, or one part of it after another.
 * @param ends true for the text's last part
 */
export type NormalizeNext = (text: string, ends: boolean) => string;

/** A normaliser of tokenizer.json. */
export interface Normalizer {
  /** Starts a text. */
  start(): NormalizeNext;
}

/** Normalises a whole text. */
export const normalizeAll = (normalizer: Normalizer, text: string): string => normalizer.start()(text, true);

type Normalize = (text: string) => string;

/** Makes a normaliser of a function for which a text's parts are independent of each other. */
const ofParts = (normalize: Normalize): Normalizer => ({ start: () => normalize });

type Form = "NFC" | "NFD" | "NFKC" | "NFKD";

const hasUnnormalised = new RegExp(unnormalised, "v");
const aroundUnnormalised = new RegExp(`(${unnormalised})`, "v");
const everyUnnormalised = new RegExp(unnormalised, "gv");

/** Normalises a text by Unicode's rules, characters that the reference does not know excepted. */
function normalizeForm(text: string, form: Form): string {
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

/** Letters, digits and signs of ASCII, of which only capital letters are changed: most English texts. */
const plain = /^[\x20-\x7e]*$/;
const everyControl = new RegExp(control, "gv");
const everySpace = new RegExp(space, "gv");
const everyChinese = new RegExp(chinese, "gv");
const everyAccent = new RegExp(accent, "gv");
const everyMark = new RegExp(mark, "gv");

function bert(part: Part): Normalizer {
  const lowers = part.boolean("lowercase", true);
  const strips = part.optionalBoolean("strip_accents") ?? lowers;
  const steps: Normalize[] = [];
  if (part.boolean("clean_text", true)) steps.push((text) => text.replace(everyControl, "").replace(everySpace, " "));
  if (part.boolean("handle_chinese_chars", true)) steps.push((text) => text.replace(everyChinese, " $& "));
  if (strips) steps.push((text) => normalizeForm(text, "NFD").replace(everyAccent, ""));
  if (lowers) steps.push(lowercase);
  return ofParts((text) => {
    if (plain.test(text)) return lowers ? text.toLowerCase() : text;
    return steps.reduce((result, step) => step(result), text);
  });
}

const leadingSpace = new RegExp(`^${space}+`, "v");
const trailingSpace = new RegExp(`(?<!${space})${space}+$`, "v");

function strip(part: Part): Normalizer {
  const left = part.boolean("strip_left", true);
  const right = part.boolean("strip_right", true);
  return {
    start() {
      let begun = !left;
      let held = "";
      return (text, ends) => {
        let rest = held + text;
        held = "";
        if (!begun) rest = rest.replace(leadingSpace, "");
        begun ||= rest !== "";
        if (!right) return rest;
        const stripped = rest.replace(trailingSpace, "");
        if (!ends) held = rest.slice(stripped.length);
        return stripped;
      };
    },
  };
}

function prepend(part: Part): Normalizer {
  const prefix = part.text("prepend");
  return {
    start() {
      let begun = false;
      return (text) => {
        if (begun || text === "") return text;
        begun = true;
        return prefix + text;
      };
    },
  };
}

function sequence(steps: readonly Normalizer[]): Normalizer {
  return {
    start() {
      const begun = steps.map((step) => step.start());
      return (text, ends) => begun.reduce((result, next) => next(result, ends), text);
    },
  };
}

/**
 * Creates a normaliser of tokenizer.json.
 * @throws Error for one of another type or with options that are not obeyed.
 */
export function createNormalizer(part: Part): Normalizer {
  const create = (): Normalizer => {
    switch (part.type) {
      case "BertNormalizer":
        return bert(part);
      case "Lowercase":
        return ofParts(lowercase);
      case "NFC":
      case "NFD":
      case "NFKC":
      case "NFKD": {
        const form = part.type;
        return ofParts((text) => normalizeForm(text, form));
      }
      case "Strip":
        return strip(part);
      case "StripAccents":
        return ofParts((text) => text.replace(everyMark, ""));
      case "Replace":
        return createReplace(part);
      case "Precompiled":
        return ofParts(createCharsmap(part.text("precompiled_charsmap", "")));
      case "Prepend":
        return prepend(part);
      case "Sequence":
        return sequence(part.parts("normalizers").map(createNormalizer));
      default:
        throw part.unknownType();
    }
  };
  const normalizer = create();
  part.refuseOthers();
  return normalizer;
}
