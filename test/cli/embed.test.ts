import { expect, test } from "bun:test";
import { selfCommand } from "#platform/self-command.ts";
import { cosine, readReferenceTexts } from "../agent/serving/reference-texts.ts";

async function embed(args: readonly string[], input = "") {
  const child = Bun.spawn([...selfCommand(), "embed", ...args], {
    stdin: new TextEncoder().encode(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { stdout, stderr, code };
}

const reference = (await readReferenceTexts()).filter(({ text }) => text.startsWith("The gripper at station"));

test("prints one vector a line, those of the reference", async () => {
  expect(reference.length).toBe(2);
  const { stdout, code } = await embed(reference.map(({ text }) => text));
  expect(code).toBe(0);
  const vectors = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as number[]);
  expect(vectors.length).toBe(2);
  for (const [index, { vector }] of reference.entries()) expect(cosine(vector, vectors[index]!)).toBeGreaterThan(0.98);
});

test("reads lines from standard input and prints JSON", async () => {
  const { stdout, code } = await embed(["-", "--json"], reference.map(({ text }) => `${text}\r\n`).join("\n"));
  expect(code).toBe(0);
  const answer = JSON.parse(stdout);
  expect({ ...answer, embeddings: answer.embeddings.length }).toEqual({
    model: "all-MiniLM-L6-v2",
    dimension: 384,
    truncated: 0,
    embeddings: 2,
  });
  expect(cosine(reference[1]!.vector, answer.embeddings[1])).toBeGreaterThan(0.98);
});

test.each([
  { name: "no text", args: [], message: "expected at least one text" },
  { name: "nothing on standard input", args: ["-"], message: "expected at least one text" },
  { name: "an unknown model", args: ["a", "--model", "nope"], message: 'model "nope" was not found' },
])("$name is bad usage", async ({ args, message }) => {
  const { stderr, stdout, code } = await embed(args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(message);
});
