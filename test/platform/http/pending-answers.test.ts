import { expect, test } from "bun:test";
import { createPendingAnswers } from "#platform/http/pending-answers.ts";

function* pieces(count: number, made: string[] = []) {
  for (let index = 0; index < count; index += 1) {
    made.push(String(index));
    yield `${index};`;
  }
}

test("an answer comes whole, and its memory is given back with its end", async () => {
  const answers = createPendingAnswers(1000);
  const response = answers.stream(600, { "content-type": "text/plain" }, pieces(5));
  expect(response.headers.get("content-type")).toBe("text/plain");
  expect(answers.usedBytes()).toBe(600);
  expect(await response.text()).toBe("0;1;2;3;4;");
  expect(answers.usedBytes()).toBe(0);
});

test("a piece is made when the client takes the one before", async () => {
  const made: string[] = [];
  const reader = createPendingAnswers(1000).stream(1, {}, pieces(100, made)).body?.getReader();
  await reader?.read();
  expect(made.length).toBeLessThan(5);
});

test("a client that leaves gives its memory back", async () => {
  const answers = createPendingAnswers(1000);
  await answers.stream(600, {}, pieces(100)).body?.cancel();
  expect(answers.usedBytes()).toBe(0);
});

test("who has stopped reading makes room; who reads keeps it, and the newcomer is told to come back", async () => {
  let nowMs = 0;
  const answers = createPendingAnswers(1000, () => nowMs);
  const stalled = answers.stream(500, {}, pieces(100));
  const reading = answers.stream(400, {}, pieces(100));
  const reader = reading.body?.getReader();
  expect(() => answers.stream(500, {}, pieces(1))).toThrow("answers that other clients have not read yet");
  await Bun.sleep(0); // the streams have taken their first pieces
  nowMs = 2_500;
  await reader?.read();
  await reader?.read();
  expect(await answers.stream(500, {}, pieces(1)).text()).toBe("0;");
  expect(answers.cutOff()).toBe(1);
  await expect(stalled.text()).rejects.toThrow("the client stopped reading");
  expect((await reader?.read())?.done).toBe(false);
  expect(answers.usedBytes()).toBe(400);
});

test("an answer larger than all memory is sent alone", async () => {
  const answers = createPendingAnswers(10);
  expect(await answers.stream(500, {}, pieces(2)).text()).toBe("0;1;");
});
