import { expect, test } from "bun:test";
import { RefusedTexts } from "#agent/serving/batching/refused-texts.ts";

test("a refused text is known for ten minutes", () => {
  let now = 0;
  const refused = new RefusedTexts(() => now);
  const reason = new Error("no");
  refused.add("a", reason);
  now = 599_999;
  expect([refused.reason("a"), refused.reason("b")]).toEqual([reason, undefined]);
  now = 600_000;
  expect(refused.reason("a")).toBeUndefined();
});

test("of more than a thousand the oldest is forgotten", () => {
  const refused = new RefusedTexts(() => 0);
  for (let text = 0; text < 1_001; text += 1) refused.add(String(text), new Error(String(text)));
  expect(refused.reason("0")).toBeUndefined();
  expect(refused.reason("1")?.message).toBe("1");
});
