import { afterAll, beforeAll, expect, test } from "bun:test";
import { cosine, type ReferenceText, readReferenceTexts } from "./reference-texts.ts";
import { type TestServing, testServing } from "./start-serving.ts";

let server: TestServing;
let reference: ReferenceText[];
let together: number[][];

async function embed(inputs: string[]): Promise<number[][]> {
  const { status, body } = await server.post("/api/v1/embed", { inputs });
  expect(status).toBe(200);
  return body["embeddings"];
}

beforeAll(async () => {
  server = testServing();
  await server.serving.start();
  reference = await readReferenceTexts();
  together = await embed(reference.map(({ text }) => text));
});
afterAll(() => server.serving.stop());

test("there are 40 texts, no two alike in the reference", () => {
  expect(reference.length).toBe(40);
  for (const [i, a] of reference.entries()) {
    for (const b of reference.slice(i + 1)) expect(cosine(a.vector, b.vector)).toBeLessThan(0.9999);
  }
});

test("every vector has a cosine of at least 0.98 with the float model's", () => {
  const low = reference
    .map(({ text, vector }, index) => ({ text: text.slice(0, 40), cosine: cosine(vector, together[index]!) }))
    .filter((row) => !(row.cosine >= 0.98));
  expect(low).toEqual([]);
});

test("every vector has the length 1", () => {
  for (const vector of together) expect(Math.abs(Math.hypot(...vector) - 1)).toBeLessThan(1e-5);
});

function nearest(vectors: readonly ArrayLike<number>[], of: number): number {
  let best = -1;
  let highest = Number.NEGATIVE_INFINITY;
  for (const [index, vector] of vectors.entries()) {
    const similarity = index === of ? Number.NEGATIVE_INFINITY : cosine(vectors[of]!, vector);
    if (similarity > highest) [best, highest] = [index, similarity];
  }
  return best;
}

test("every text has the nearest neighbour it has in the reference, ties of less than 0.001 apart", () => {
  const vectors = reference.map(({ vector }) => vector);
  for (const [index, { text, vector }] of reference.entries()) {
    const expected = nearest(vectors, index);
    const actual = nearest(together, index);
    const margin = cosine(vector, vectors[expected]!) - cosine(vector, vectors[actual]!);
    expect({ text, closeEnough: margin < 0.001 }).toEqual({ text, closeEnough: true });
  }
});

test("a text's vector does not depend on what else is in its batch or how it is padded", async () => {
  for (const [index, { text }] of reference.entries()) {
    const [alone] = await embed([text]);
    expect({ text, same: 1 - cosine(alone!, together[index]!) < 1e-6 }).toEqual({ text, same: true });
  }
  const [among] = await embed(["aaa", ...reference.slice(20, 30).map(({ text }) => text)]);
  const [alone] = await embed(["aaa"]);
  expect(1 - cosine(among!, alone!)).toBeLessThan(1e-6);
});

test("the long text that was cut is said to have been cut", async () => {
  const long = reference.findIndex(({ text }) => text.length === 10_000);
  const answer = await server.post("/api/v1/embed", { inputs: ["short", reference[long]!.text] });
  expect(answer.headers.get("x-truncated-inputs")).toBe("1");
  expect(answer.body["usage"].truncated_inputs).toBe(1);
  const openAi = await server.post("/v1/embeddings", { input: [reference[long]!.text, "short", "other"] });
  expect(openAi.body["usage"].truncated_inputs).toBe(1);
  const short = await server.post("/api/v1/embed", { inputs: ["short"] });
  expect(short.headers.get("x-truncated-inputs")).toBeNull();
});
