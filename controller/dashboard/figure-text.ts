import {
  formatDuration,
  formatMoney,
  formatNumber,
  formatRate,
  formatWatts,
  type Quantity,
} from "#platform/page/format.ts";
import type { Figure } from "./figure.ts";

/** Value and unit of a figure for people: the page and the terminal show the same. */
export function figureQuantity({ value, unit }: Pick<Figure, "value" | "unit">): Quantity {
  switch (unit) {
    case "ms":
      return formatDuration(value);
    case "W":
      return formatWatts(value);
    case "US$/h":
      return formatMoney(value, "/h");
    case "°C":
    case "texts":
      return { value: formatNumber(value), unit };
    case "agents":
    case "alerts":
      return { value: formatNumber(value), unit: "" };
    default:
      return formatRate(value, unit);
  }
}
