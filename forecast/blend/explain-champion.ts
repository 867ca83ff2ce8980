import { type ChampionDecision, type ModelError, minForecasts } from "./decide-champion.ts";

const errorToText = ({ name, wapePercent }: ModelError) =>
  wapePercent === null ? `${name} without traffic` : `${name} ${wapePercent.toFixed(1)} %`;

export function explainChampion({ kind, forecasts, errors }: ChampionDecision): string {
  if (kind === "start") return `${forecasts} of ${minForecasts} forecasts compared with the actual traffic`;
  const [chosen, ...others] = errors.map(errorToText);
  const comparison = others.length === 0 ? "" : `; next best: ${others.join(", ")}`;
  return `WAPE over ${forecasts} forecasts, newer ones weighing more: ${chosen}${comparison}`;
}

/** Text like "ridge+ 62 %, lstm 38 %". */
export function sharesToText(shares: Iterable<readonly [name: string, share: number]>): string {
  return [...shares].map(([name, share]) => `${name} ${(100 * share).toFixed(0)} %`).join(", ");
}
