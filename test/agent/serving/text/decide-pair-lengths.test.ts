import { expect, test } from "bun:test";
import { decidePairLengths } from "#agent/serving/text/decide-pair-lengths.ts";

// Checked against Hugging Face's tokenizers 0.23 ("longest_first").
test.each([
  { first: 3, second: 4, room: 7, expected: [3, 4] },
  { first: 0, second: 9, room: 7, expected: [0, 7] },
  { first: 3, second: 9, room: 7, expected: [3, 4] },
  { first: 4, second: 10, room: 7, expected: [3, 4] },
  { first: 10, second: 4, room: 7, expected: [4, 3] },
  { first: 10, second: 2, room: 7, expected: [5, 2] },
  { first: 8, second: 8, room: 8, expected: [4, 4] },
  { first: 8, second: 8, room: 7, expected: [3, 4] },
])("$first and $second into $room: $expected", ({ first, second, room, expected }) => {
  const lengths = decidePairLengths(first, second, room);
  expect([lengths.first, lengths.second]).toEqual([...expected]);
});
