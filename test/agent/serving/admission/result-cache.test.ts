import { describe, expect, test } from "bun:test";
import { ResultCache, resultKey } from "#agent/serving/admission/result-cache.ts";

const text = (value: number, dimension = 384) => ({
  vector: new Float32Array(dimension).fill(value),
  tokens: 3,
  truncated: false,
});

describe("the cache", () => {
  test("gives back what was put, also when the memory it came from is used again", () => {
    const cache = new ResultCache(1_000_000);
    const batch = new Float32Array(4).fill(1);
    cache.put("t", "a", { vector: batch.subarray(0, 2), tokens: 2, truncated: true });
    batch.fill(9);
    expect(cache.get("t", "a")).toEqual({ vector: Float32Array.of(1, 1), tokens: 2, truncated: true });
    expect(cache.get("t", "a")?.vector.buffer.byteLength).toBe(8);
    expect(cache.get("t", "b")).toBeUndefined();
  });

  test("stays within its bytes; what was not used for longest goes first", () => {
    const cache = new ResultCache(40_000);
    for (let i = 0; i < 20; i += 1) cache.put("t", `text ${i}`, text(i));
    const full = cache.bytes();
    expect(full).toBeLessThanOrEqual(40_000);
    expect(full).toBeGreaterThan(36_000);
    expect(cache.get("t", "text 0")?.vector[0]).toBe(0);
    for (let i = 20; i < 39; i += 1) cache.put("t", `text ${i}`, text(i));
    expect(cache.get("t", "text 0")?.vector[0]).toBe(0);
    expect(cache.get("t", "text 1")).toBeUndefined();
    expect(cache.get("t", "text 38")?.vector[0]).toBe(38);
    expect(cache.bytes()).toBeLessThanOrEqual(40_000);
  });

  test("the same text put again takes no more room", () => {
    const cache = new ResultCache(100_000);
    cache.put("t", "a", text(1));
    const once = cache.bytes();
    cache.put("t", "a", text(2));
    expect({ bytes: cache.bytes(), value: cache.get("t", "a")?.vector[0] }).toEqual({ bytes: once, value: 2 });
  });

  test.each([
    { name: "no room at all", maxBytes: 0, key: "a" },
    { name: "a text that would drive out too many others", maxBytes: 100_000, key: "x".repeat(5_000) },
  ])("$name: nothing is kept", ({ maxBytes, key }) => {
    const cache = new ResultCache(maxBytes);
    cache.put("t", key, text(1));
    expect({ found: cache.get("t", key), bytes: cache.bytes() }).toEqual({ found: undefined, bytes: 0 });
  });
});

describe("tenants", () => {
  test("find only what was put for them", () => {
    const cache = new ResultCache(100_000);
    cache.put("a", "text", text(1));
    expect(cache.get("b", "text")).toBeUndefined();
    cache.put("b", "text", text(2));
    expect([cache.get("a", "text")?.vector[0], cache.get("b", "text")?.vector[0]]).toEqual([1, 2]);
  });

  test("can't push out what others keep within their share", () => {
    const cache = new ResultCache(80_000);
    for (let i = 0; i < 10; i += 1) cache.put("a", `text ${i}`, text(i));
    for (let i = 0; i < 1_000; i += 1) cache.put("b", `text ${i}`, text(i));
    for (let i = 0; i < 10; i += 1) expect(cache.get("a", `text ${i}`)).toBeDefined();
    expect(cache.get("b", "text 999")).toBeDefined();
    expect(cache.bytes()).toBeLessThanOrEqual(80_000);
    // One that has more than its share gives up as much as another needs.
    for (let i = 0; i < 1_000; i += 1) cache.put("c", `text ${i}`, text(i));
    for (let i = 0; i < 10; i += 1) expect(cache.get("a", `text ${i}`)).toBeDefined();
    expect(cache.get("b", "text 999")).toBeDefined();
  });
});

test("a key is one model's, one revision's, one text's", () => {
  const model = { id: "m", revision: "1" };
  const keys = [
    resultKey(model, "1,2"),
    resultKey(model, [1, 2]),
    resultKey(model, [12]),
    resultKey(model, { first: "1", second: "2" }),
    resultKey(model, { first: "1,2", second: "" }),
    resultKey(model, JSON.stringify(["1", "2"])),
    resultKey({ ...model, revision: "2" }, "1,2"),
    resultKey({ ...model, id: "n" }, "1,2"),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  expect(resultKey(model, "1,2")).toBe(keys[0]!);
});

describe("the memory of an entry", () => {
  const size = 2 * "ab".length + 4 * 384 + 300;

  test("is its key's, its vector's and the runtime's", () => {
    const cache = new ResultCache(100_000);
    cache.put("t", "ab", text(1));
    expect(cache.bytes()).toBe(size);
  });

  test("is a sixteenth of all at most", () => {
    const least = 16 * size;
    const keeps = (maxBytes: number) => {
      const cache = new ResultCache(maxBytes);
      cache.put("t", "ab", text(1));
      return cache.get("t", "ab") !== undefined;
    };
    expect([keeps(least), keeps(least - 1)]).toEqual([true, false]);
  });

  test("may fill all of it; of tenants with as much, the one that came first gives way", () => {
    const cache = new ResultCache(16 * size);
    for (let index = 0; index < 16; index += 1) cache.put(index % 2 === 0 ? "a" : "b", `${index + 10}`, text(index));
    expect(cache.bytes()).toBe(16 * size);
    const kept = (tenant: string) =>
      Array.from({ length: 16 }, (_, index) => `${index + 10}`).filter((key) => cache.get(tenant, key) !== undefined);
    expect([kept("a").length, kept("b").length]).toEqual([8, 8]);
    cache.put("c", "99", text(99));
    expect([kept("a").length, kept("b").length, cache.bytes()]).toEqual([7, 8, 16 * size]);
    expect(kept("a")).not.toContain("10");
  });
});
