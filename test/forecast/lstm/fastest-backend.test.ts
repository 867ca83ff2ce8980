import { describe, expect, test } from "bun:test";
import { medianMs, startFastestBackend } from "#forecast/lstm/fastest-backend.ts";
import type { Backend, BackendChoice } from "#forecast/lstm/tensorflow.ts";

/** Backends of a machine, with the duration of the work on each. */
function machine(durationsMs: Partial<Record<Backend, number | Error>>) {
  const started: Backend[] = [];
  const start = async (wanted?: Backend): Promise<BackendChoice> => {
    const backend = wanted ?? (Object.keys(durationsMs)[0] as Backend);
    started.push(backend);
    return { backend, reason: "the first" };
  };
  const measureMs = async () => {
    const ms = durationsMs[started.at(-1) as Backend] ?? Number.NaN;
    if (ms instanceof Error) throw ms;
    return ms;
  };
  return { started, choose: () => startFastestBackend(measureMs, start) };
}

describe("startFastestBackend", () => {
  test.each([
    ["the library where it is faster", 2, 3, "tfjs-node", "measured here: 2.0 ms, wasm 3.0 ms"],
    ["WebAssembly where that is faster", 3, 2, "wasm", "measured here: 2.0 ms, tfjs-node 3.0 ms"],
    ["WebAssembly where both are equal: it takes less memory", 2, 2, "wasm", "measured here: 2.0 ms, tfjs-node 2.0 ms"],
  ] as const)("takes %s", async (_name, native, wasm, backend, reason) => {
    const { choose, started } = machine({ "tfjs-node": native, wasm });
    expect(await choose()).toEqual({ backend, reason });
    expect(started.at(-1)).toBe(backend);
  });

  test("measures nothing where the library is not installed", async () => {
    const { choose, started } = machine({ wasm: new Error("is not measured") });
    expect(await choose()).toEqual({ backend: "wasm", reason: "the first" });
    expect(started).toEqual(["wasm"]);
  });

  test("stays with the library where WebAssembly does not work", async () => {
    const { choose, started } = machine({ "tfjs-node": 2, wasm: new Error("no") });
    expect(await choose()).toEqual({ backend: "tfjs-node", reason: "wasm can't be measured: no" });
    expect(started.at(-1)).toBe("tfjs-node");
  });
});

test("medianMs: the middle one of nine, without the first, which compiles", async () => {
  const readings = [0, 5, 10, 11, 20, 29, 30, 33, 40, 47, 50, 58, 60, 66, 70, 72, 80, 84];
  let runs = 0;
  const run = () => {
    runs += 1;
  };
  expect(await medianMs(run, () => readings.shift() as number)).toBe(5);
  expect(runs).toBe(10);
});
