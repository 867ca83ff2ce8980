import { countToText, listToText, qpsToText } from "#controller/scaling/figures-to-text.ts";
import type { CloudChange, CloudDecision } from "./decide-cloud-units.ts";

function explainChange({ id, kind, rule, from, to, agents, qps }: CloudChange): string {
  const rate = `${qpsToText(qps)} texts/s`;
  const step = `${id} (${kind}) from ${from} to ${countToText(to, "unit")}`;
  switch (rule) {
    case "reached":
      return `${rate} go to ${id} (${kind}, ${countToText(to, "unit")})`;
    case "start":
      return `${step} -> switch on ${listToText(agents)}`;
    case "stop":
      return `${step} -> ${listToText(agents)} to standby`;
    case "keep":
      return `${countToText(to, "unit")} of ${id} (${kind}) ${to === 1 ? "goes" : "go"} on`;
    case "overflow":
      return `${rate} would overflow to ${countToText(to, "unit")} of ${id} (${kind}), which nothing here can switch on`;
    default:
      return rule satisfies never;
  }
}

/** Explains what is done about cloud units in a sentence; empty when there is nothing to tell. */
export function explainCloudUnits({ changes }: CloudDecision): string {
  return changes.length === 0 ? "" : `Cloud: ${changes.map(explainChange).join("; ")}.`;
}
