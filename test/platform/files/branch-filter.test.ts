import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { addressBranches, restoreBranches } from "#platform/files/branch-filter.ts";

const architectures = ["x64", "arm64"] as const;
const root = join(import.meta.dir, "../../..");

/** Bytes in which opcodes of branches are as frequent as can be, in every order. */
function randomBytes(seed: number): Uint8Array {
  const choice = [0xe8, 0xe9, 0x00, 0xff, 0x94, 0x97, 0x01, 0x7f];
  let state = seed;
  return Uint8Array.from({ length: 257 + (seed % 9) }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return choice[(state >>> 16) % choice.length] as number;
  });
}

describe.each(architectures)("branches of %s", (architecture) => {
  test("what was rewritten is restored, bit by bit, whatever the bytes are", () => {
    let rewritten = 0;
    for (let seed = 1; seed <= 3000; seed += 1) {
      const bytes = randomBytes(seed);
      const before = bytes.slice();
      addressBranches(bytes, architecture);
      if (Bun.hash(bytes) !== Bun.hash(before)) rewritten += 1;
      restoreBranches(bytes, architecture);
      expect(bytes).toEqual(before);
    }
    expect(rewritten).toBeGreaterThan(2500);
  });

  test.each([0, 1, 3, 4, 5])("%p bytes are no more and no less afterwards", (length) => {
    const bytes = new Uint8Array(length).fill(0xe8);
    addressBranches(bytes, architecture);
    restoreBranches(bytes, architecture);
    expect(bytes).toEqual(new Uint8Array(length).fill(0xe8));
  });

  test("a library is restored, and compresses better in between", () => {
    const path = `node_modules/onnxruntime-node/bin/napi-v6/linux/${architecture}/onnxruntime_binding.node`;
    const library = new Uint8Array(readFileSync(join(root, path)));
    const bytes = library.slice();
    addressBranches(bytes, architecture);
    const [plain, rewritten] = [library, bytes].map((each) => Bun.zstdCompressSync(each, { level: 9 }).byteLength);
    expect(rewritten as number).toBeLessThan(plain as number);
    restoreBranches(bytes, architecture);
    expect(Bun.hash(bytes)).toBe(Bun.hash(library));
  });
});

test("two calls of one function become the same bytes", () => {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  for (const at of [3, 40]) {
    bytes[at] = 0xe8;
    view.setInt32(at + 1, 20 - (at + 5), true);
  }
  addressBranches(bytes, "x64");
  expect(bytes.slice(3, 8)).toEqual(Uint8Array.of(0xe8, 20, 0, 0, 0));
  expect(bytes.slice(40, 45)).toEqual(bytes.slice(3, 8));
});
