import { expect, test } from "bun:test";
import { followOutput } from "#platform/process/follow-output.ts";

const linesOf = async (...pieces: string[]) => {
  const lines: string[] = [];
  const encoder = new TextEncoder();
  const output = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(encoder.encode(piece));
      controller.close();
    },
  });
  await followOutput(output, (line) => lines.push(line));
  return lines;
};

test.each([
  { what: "nothing", pieces: [], lines: [] },
  { what: "lines across pieces", pieces: ["on", "e\ntw", "o\n"], lines: ["one", "two"] },
  { what: "a last line without its end", pieces: ["one\ntwo"], lines: ["one", "two"] },
  { what: "colours and empty lines", pieces: ["\u001b[1;31mred\u001b[m\r\n\n \nplain\n"], lines: ["red", "plain"] },
])("$what", async ({ pieces, lines }) => {
  expect(await linesOf(...pieces)).toEqual([...lines]);
});

test("output that breaks off keeps what came", async () => {
  const lines: string[] = [];
  let first = true;
  const output = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (first) controller.enqueue(new TextEncoder().encode("half a li"));
      else controller.error(new Error("gone"));
      first = false;
    },
  });
  await followOutput(output, (line) => lines.push(line));
  expect(lines).toEqual(["half a li"]);
});
