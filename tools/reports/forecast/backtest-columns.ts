import type { BacktestRow } from "#forecast/backtest.ts";

const percent = (value: number | null, digits = 1) => (value === null ? "–" : `${value.toFixed(digits)} %`);

/** What a table of forecast models shows of each, the model's name left aside: path, peak, coverage, head-room, skill. */
export const backtestColumns: readonly (readonly [heading: string, cell: (row: BacktestRow) => string])[] = [
  ["WAPE", ({ path }) => percent(path.wapePercent)],
  ["MAPE", ({ path }) => percent(path.mapePercent)],
  ["MAE", ({ path }) => path.mae.toPrecision(3)],
  ["R²", ({ path }) => (path.r2 === null ? "–" : path.r2.toFixed(2))],
  ["pinball", ({ pathPinballPercent }) => percent(pathPinballPercent, 2)],
  ["peak WAPE", ({ peak }) => percent(peak.wapePercent)],
  ["peak pinball", ({ peakPinballPercent }) => percent(peakPinballPercent, 2)],
  ["0.9", ({ coverage90 }) => coverage90.toFixed(3)],
  ["0.95", ({ coverage95 }) => coverage95.toFixed(3)],
  ["×", ({ headroom95 }) => headroom95.toFixed(2)],
  ["skill", ({ skill }) => percent(100 * skill)],
];
