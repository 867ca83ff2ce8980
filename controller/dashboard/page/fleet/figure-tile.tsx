import type { ComponentChildren } from "preact";
import { connection } from "#platform/page/connection.ts";
import { Figure } from "#platform/page/figure.tsx";
import {
  formatDuration,
  formatMoney,
  formatNumber,
  formatRate,
  formatWatts,
  type Quantity,
} from "#platform/page/format.ts";
import type { FigureName } from "../../figure.ts";
import { fleet } from "../fleet-state.ts";

const writers: Readonly<Record<string, (value: number | null) => Quantity>> = {
  agents: (value) => ({ value: formatNumber(value), unit: "" }),
  alerts: (value) => ({ value: formatNumber(value), unit: "" }),
  "texts/s": (value) => formatRate(value),
  "requests/s": (value) => formatRate(value, "requests/s"),
  ms: formatDuration,
  W: formatWatts,
  "US$/h": (value) => formatMoney(value, "/h"),
};

/** Writes one of the fleet's figures with its unit. */
export function figureQuantity(name: FigureName): Quantity {
  const figure = fleet.value?.figures[name];
  const unit = figure?.unit ?? "";
  const write = writers[unit] ?? ((value: number | null) => ({ value: formatNumber(value), unit }));
  return write(figure?.value ?? null);
}

interface TileProps {
  readonly name: FigureName;
  readonly label: string;
  readonly tone?: "good" | "warn" | "bad" | undefined;
  readonly children?: ComponentChildren;
}

/** One of the fleet's figures, as the controller judges it: with its time, stale where it is old. */
export function FigureTile({ name, label, tone, children }: TileProps) {
  const figure = fleet.value?.figures[name];
  const stale = connection.value.state === "away" || figure?.stale === true;
  return (
    <Figure
      label={label}
      quantity={figureQuantity(name)}
      asOfMs={figure?.asOfMs ?? null}
      stale={stale && figure?.value !== null}
      {...(figure?.note ? { hint: figure.note } : {})}
      {...(tone === undefined ? {} : { tone })}
    >
      {children}
    </Figure>
  );
}
