import { expect, test } from "bun:test";
import { PacketScanner } from "#controller/broker/limit-packets.ts";
import { createPacketSource } from "../../../scripts/fuzz/mqtt-packets.ts";
import { createRandom } from "../../../scripts/fuzz/random.ts";

const draw = (seed: number) => {
  const source = createPacketSource(createRandom(seed), "f", ["a"]);
  return Array.from({ length: 200 }, () => source.mutate(source.other()).toString("hex")).join("\n");
};

test("the same seed makes the same packets, another one others", () => {
  expect(draw(1)).toBe(draw(1));
  expect(draw(1)).not.toBe(draw(2));
});

test("what is said to be allowed passes the bounds on packets", () => {
  const source = createPacketSource(createRandom(3), "f", ["a"]);
  const login = { clientId: "thormesh-agent-f-a", username: "a", password: "x" };
  const scanner = new PacketScanner(() => performance.now());
  scanner.admitted();
  expect(scanner.accept(source.connect(login, true))).toBeNull();
  // Fewer questions than a second may have.
  for (let i = 0; i < 90; i += 1) expect(scanner.accept(source.allowed("a"))).toBeNull();
});

test("numbers are spread over their range", () => {
  const random = createRandom(5);
  const drawn = new Set(Array.from({ length: 1000 }, () => random.below(10)));
  expect([...drawn].toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
