import { qpsToText } from "#controller/scaling/figures-to-text.ts";
import { minuteMs } from "#platform/time.ts";
import type { Aftermath } from "./decide-aftermath.ts";

/** Tells what was believed and what happened, and whether they differ. */
export function explainAftermath({ rule, believedPeakQps, actualPeakQps, startMs, endMs }: Aftermath): string {
  const minutes = `${Math.round((endMs - startMs) / minuteMs)} minutes`;
  if (believedPeakQps === null) return "it was not based on a peak, so there is nothing to compare";
  const believed = `a peak of ${qpsToText(believedPeakQps)} texts/s was forecast`;
  if (actualPeakQps === null)
    return rule === "going-on"
      ? `${believed}; no minute since then is on record yet`
      : `${believed}; none of the ${minutes} after it are on record`;
  const came = `${qpsToText(actualPeakQps)}`;
  const share = believedPeakQps > 0 ? Math.abs(100 * (actualPeakQps / believedPeakQps - 1)) : null;
  const by = share === null ? "" : ` by ${Math.round(share)} %`;
  switch (rule) {
    case "more":
      return `${believed}; ${came} came within ${minutes}: more than forecast${by}`;
    case "less":
      return `${believed}; at most ${came} came within ${minutes}: less than forecast${by}`;
    case "as-believed":
      return `${believed}; ${came} came within ${minutes}: about as forecast`;
    case "going-on":
      return `${believed}; ${came} came so far; the ${minutes} are not over`;
    case "unknown":
      return `${believed}; the actual traffic is unknown`;
    default:
      return rule satisfies never;
  }
}
