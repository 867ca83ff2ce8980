import { describe, expect, test } from "bun:test";
import { decodeFrame, encodeFrame, type Frame, FrameReader, maxFrameBytes } from "#agent/serving/worker/frames.ts";

const frames: { name: string; frame: Frame }[] = [
  {
    name: "ready",
    frame: {
      kind: "ready",
      loadMs: 213.25,
      engine: {
        provider: "cpu",
        refused: [{ provider: "cuda", reason: "libcublasLt.so.13 – not there" }],
        libraryVersion: "1.31.0",
        libraryPath: "/opt/ort/libonnxruntime.so.1.31.0",
        libraryProblem: null,
        engines: { built: 1, reused: 2 },
      },
      hashes: { "model.onnx": "00ff" },
      couplingOperators: ["DynamicQuantizeLinear"],
      weights: { shared: false, problem: "46 MB are free" },
      tokenVectors: true,
    },
  },
  {
    name: "batch",
    frame: {
      kind: "batch",
      batch: 4_000_000_000,
      paddedTokens: 16,
      texts: [Uint32Array.of(101, 7592, 102), Uint32Array.of(101, 102), Uint32Array.of(4_294_967_295)],
    },
  },
  { name: "batch of nothing", frame: { kind: "batch", batch: 1, paddedTokens: 0, texts: [] } },
  { name: "batch with an empty text", frame: { kind: "batch", batch: 1, paddedTokens: 8, texts: [new Uint32Array()] } },
  {
    name: "vectors",
    frame: {
      kind: "vectors",
      batch: 7,
      computeMs: 0.125,
      vectors: [Float32Array.of(0.5, -0.25, 1e-30), Float32Array.of(Number.POSITIVE_INFINITY, 0, -1)],
    },
  },
  {
    name: "vectors of different lengths",
    frame: { kind: "vectors", batch: 8, computeMs: 1, vectors: [Float32Array.of(1), Float32Array.of(2, 3, 4)] },
  },
  { name: "no vectors", frame: { kind: "vectors", batch: 7, computeMs: 0, vectors: [] } },
  { name: "failure", frame: { kind: "failure", batch: 3, message: "Größe außerhalb 🤖" } },
  { name: "ping", frame: { kind: "ping", batch: 5 } },
  { name: "pong", frame: { kind: "pong", batch: 5 } },
  { name: "failure without words", frame: { kind: "failure", batch: 0, message: "" } },
];

test.each(frames)("$name comes out as it went in", ({ frame }) => {
  expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
});

test.each(frames)("$name cut short is refused", ({ frame }) => {
  const bytes = encodeFrame(frame);
  expect(() => decodeFrame(bytes.subarray(0, bytes.byteLength - 1))).toThrow();
});

describe("the reader", () => {
  const stream = Buffer.concat(frames.map(({ frame }) => encodeFrame(frame)));
  const all = frames.map(({ frame }) => frame);

  test.each([1, 2, 3, 4, 5, 7, 9, 64, 1000])("puts frames together from pieces of %d bytes", (size) => {
    const reader = new FrameReader();
    const received: Frame[] = [];
    for (let at = 0; at < stream.byteLength; at += size) received.push(...reader.push(stream.subarray(at, at + size)));
    expect(received).toEqual(all);
  });

  test("keeps nothing of the piece it was given", () => {
    const reader = new FrameReader();
    const bytes = Uint8Array.from(encodeFrame(frames[1]!.frame));
    reader.push(bytes.subarray(0, 20));
    const rest = Uint8Array.from(bytes.subarray(20));
    bytes.fill(0);
    expect(reader.push(rest)).toEqual([frames[1]!.frame]);
  });

  test("refuses a length that no frame has, before it has come", () => {
    const head = new Uint8Array(4);
    new DataView(head.buffer).setUint32(0, maxFrameBytes, true);
    expect(() => new FrameReader().push(head)).toThrow("announced");
  });

  test("refuses an unknown kind", () => {
    const bytes = encodeFrame(frames[0]!.frame);
    bytes[4] = 99;
    expect(() => new FrameReader().push(bytes)).toThrow("unknown kind 99");
  });

  test("refuses counts that the frame does not hold", () => {
    const bytes = encodeFrame(frames[1]!.frame);
    new DataView(bytes.buffer).setUint32(13, 0xffff_ffff, true);
    expect(() => decodeFrame(bytes)).toThrow("holds fewer");
  });
});
