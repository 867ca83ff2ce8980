import { expect, test } from "bun:test";
import type { TSchema } from "@sinclair/typebox";
import { decisions } from "#cli/decide/decisions.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { UsageError } from "#platform/errors.ts";
import { schemaOfInput } from "#platform/schema-of-input.ts";
import { inputFromSchema } from "./input-from-schema.ts";

/** Places in an answer where there is no figure where one belongs, or a text was made of what is none. */
function* faultsIn(answer: unknown, path = ""): Generator<string> {
  if (typeof answer === "number" && !Number.isFinite(answer)) yield `${path}: ${answer}`;
  else if (typeof answer === "string" && /NaN|Infinity|undefined|\[object/.test(answer)) yield `${path}: "${answer}"`;
  else if (typeof answer === "object" && answer !== null)
    for (const [key, inner] of Object.entries(answer)) yield* faultsIn(inner, `${path}.${key}`);
}

/** It lists every fleet of the least cost, which takes seconds: too long to be asked at random. */
const slow = new Set(["cheapest-fleet"]);

test.each(Object.keys(decisions).filter((name) => !slow.has(name)))(
  "%s: whatever its schema allows gets an answer in figures, always the same, or is refused by the name of a field",
  async (name) => {
    const decision = decisions[name]!;
    const schema = schemaOfInput(decision.schema) as TSchema;
    const random = seededRandom(7);
    for (let run = 0; run < 40; run += 1) {
      const text = JSON.stringify(inputFromSchema(schema, random));
      const input = JSON.parse(text);
      try {
        const answer = await decision.answer(input, "x");
        expect({ text, faults: [...faultsIn(answer)] }).toEqual({ text, faults: [] });
        expect(JSON.stringify(input)).toBe(text);
        expect(await decision.answer(JSON.parse(text), "x")).toEqual(answer);
      } catch (error) {
        if (!(error instanceof UsageError)) throw new Error(`${name} met ${error} with ${text}`, { cause: error });
        expect(error.message).toMatch(/^x is not valid:\n {2}[\w.-]+: /);
      }
    }
  },
);
