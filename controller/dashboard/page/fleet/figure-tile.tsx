import type { ComponentChildren } from "preact";
import { connection } from "#platform/page/connection.ts";
import { Figure } from "#platform/page/figure.tsx";
import type { FigureName } from "../../figure.ts";
import { figureQuantity } from "../../figure-text.ts";
import { fleet } from "../fleet-state.ts";

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
      quantity={figureQuantity(figure ?? { value: null, unit: "" })}
      asOfMs={figure?.asOfMs ?? null}
      stale={stale && figure?.value !== null}
      {...(figure?.note ? { hint: figure.note } : {})}
      {...(tone === undefined ? {} : { tone })}
    >
      {children}
    </Figure>
  );
}
