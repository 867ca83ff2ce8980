import type { BacktestRow } from "#forecast/judge/judge-replay.ts";

const percent = (value: number | null, digits = 1) => (value === null ? "–" : `${value.toFixed(digits)} %`);

/** Columns of a table of forecast models after the model's name: path, peak, coverage, headroom, skill. */
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

export const columnLegend =
  "pinball: mean loss of the quantiles 0.5, 0.9 and 0.95, in percent of the mean rate. peak: the highest step of a forecast. 0.9, 0.95: share of peaks within these quantiles. ×: factor from a forecast peak to its 0.95 quantile. skill: peak pinball against the best simple model's.";
