import { expect, test } from "bun:test";
import { boardFirst, gpuLoad } from "#agent/serving/gpu/board-first.ts";

const reading = (utilizationPercent: number | null) => ({
  name: "GPU",
  memoryUsedBytes: 5,
  utilizationPercent,
});

test.each([
  { name: "no GPU and no board", readings: [], board: null, metric: [], load: null },
  { name: "GPUs without a board", readings: [reading(20), reading(60)], board: null, metric: [20, 60], load: 0.6 },
  { name: "a GPU that does not tell", readings: [reading(null)], board: null, metric: [null], load: null },
  { name: "a board's reading before that of nvidia-smi", readings: [reading(20)], board: 0.5, metric: [50], load: 0.5 },
  { name: "a board alone", readings: [], board: 0.25, metric: [25], load: 0.25 },
] as {
  name: string;
  readings: ReturnType<typeof reading>[];
  board: number | null;
  metric: (number | null)[];
  load: number | null;
}[])("metrics and status have one source: $name", async ({ readings, board, metric, load }) => {
  const monitor = { read: async () => readings };
  const shown = await boardFirst(monitor, () => board).read();
  expect(shown.map(({ utilizationPercent }) => utilizationPercent)).toEqual(metric);
  expect(await gpuLoad(monitor, () => board)).toBe(load);
});
