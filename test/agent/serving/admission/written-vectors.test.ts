import { describe, expect, test } from "bun:test";
import { WrittenVectors } from "#agent/serving/admission/written-vectors.ts";

const vectorOf = (first: number) => Float32Array.of(first, 2, 3, 4);

describe("a vector that is asked for again", () => {
  const counting = (written: WrittenVectors) => {
    const calls: number[] = [];
    const write = (vector: Float32Array) => {
      calls.push(vector[0] ?? 0);
      return `[${vector.join()}]`;
    };
    return { calls, get: (vector: Float32Array, form = "float") => written.get(vector, form, write) };
  };

  test("is written once in a form, and again in another", () => {
    const { calls, get } = counting(new WrittenVectors(100_000));
    const vector = vectorOf(1);
    expect([get(vector), get(vector), get(vector)]).toEqual(["[1,2,3,4]", "[1,2,3,4]", "[1,2,3,4]"]);
    expect(calls).toEqual([1]);
    get(vector, "base64");
    get(vector, "base64");
    expect(calls).toEqual([1, 1]);
  });

  test("is another one than an equal one", () => {
    const { calls, get } = counting(new WrittenVectors(100_000));
    get(vectorOf(1));
    get(vectorOf(1));
    expect(calls).toEqual([1, 1]);
  });

  test("makes way when others filled the space, unless it was asked for meanwhile", () => {
    const { calls, get } = counting(new WrittenVectors(10_000));
    const [often, once] = [vectorOf(1), vectorOf(2)];
    get(often);
    get(once);
    for (let i = 0; i < 100; i += 1) {
      get(vectorOf(100 + i));
      get(often);
    }
    expect(calls.filter((first) => first === 1)).toEqual([1]);
    get(once);
    expect(calls.filter((first) => first === 2)).toEqual([2, 2]);
  });
});
