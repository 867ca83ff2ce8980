import { beforeAll, describe, expect, test } from "bun:test";
import { multiplyWithoutTransposes } from "#forecast/lstm/multiply-without-transposes.ts";
import { startBackend, tf } from "#forecast/lstm/tensorflow.ts";

// [[1,2,3],[4,5,6]] × [[1,0],[2,1],[0,3]] = [[5,11],[14,23]]
const left = [
  [1, 2, 3],
  [4, 5, 6],
];
const right = [
  [1, 0],
  [2, 1],
  [0, 3],
];
const turn = (rows: number[][]) => rows[0]!.map((_, column) => rows.map((row) => row[column]!));
const product = [5, 11, 14, 23];

describe("products on the wasm backend", () => {
  beforeAll(async () => {
    await startBackend("wasm");
    multiplyWithoutTransposes(tf); // a second time changes nothing
  });

  test.each([
    { name: "as they lie", a: left, b: right, turnA: false, turnB: false },
    { name: "left one turned", a: turn(left), b: right, turnA: true, turnB: false },
    { name: "right one turned", a: left, b: turn(right), turnA: false, turnB: true },
    { name: "both turned", a: turn(left), b: turn(right), turnA: true, turnB: true },
  ])("$name", ({ a, b, turnA, turnB }) => {
    const before = tf.memory().numDataBuffers;
    const result = tf.tidy(() =>
      tf.matMul(tf.tensor2d(a as number[][]), tf.tensor2d(b as number[][]), turnA, turnB).dataSync(),
    );
    expect([...result]).toEqual(product);
    const batch = tf.tidy(() => {
      const [x, y] = [[a, a] as number[][][], [b, b] as number[][][]];
      return tf.matMul(tf.tensor3d(x), tf.tensor3d(y), turnA, turnB).dataSync();
    });
    expect([...batch]).toEqual([...product, ...product]);
    expect(tf.memory().numDataBuffers).toBe(before);
  });

  test("gradients, by hand: the sum's are the other operand's row and column sums", () => {
    const [a, b] = [tf.tensor2d(left), tf.tensor2d(right)];
    const [da, db] = tf.grads((x, y) => tf.sum(tf.matMul(x!, y!)))([a, b]);
    expect([...da!.dataSync()]).toEqual([1, 3, 3, 1, 3, 3]);
    expect([...db!.dataSync()]).toEqual([5, 5, 7, 7, 9, 9]);
    tf.dispose([a, b, da!, db!]);
  });
});
