import { expect, test } from "bun:test";
import { createNormalizer, normalizeAll } from "#agent/serving/text/parts/normalizers.ts";
import { Part } from "#agent/serving/text/parts/part.ts";

const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
const texts = ["", "The Gripper lost part 7!", printable.join(""), ...printable, ...printable.map((c) => `${c}${c}Z `)];
const options = [true, false].flatMap((lowercase) =>
  [true, false, null].flatMap((strip_accents) =>
    [true, false].map((on) => ({ lowercase, strip_accents, clean_text: on, handle_chinese_chars: on })),
  ),
);

test.each(options)("ASCII is normalised as beside other characters: %j", (given) => {
  const normalizer = createNormalizer(new Part({ type: "BertNormalizer", ...given }, "normalizer"));
  const beside = normalizeAll(normalizer, "ß");
  for (const text of texts) expect(beside + normalizeAll(normalizer, text)).toBe(normalizeAll(normalizer, `ß${text}`));
});
