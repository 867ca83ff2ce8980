import type { SoleController } from "./decide-sole-controller.ts";

const endings: Readonly<Record<Exclude<SoleController["rule"], "own-message" | "says-offline">, string>> = {
  "no-credible-start": ", but gives no credible start time",
  "started-later": "; it started later and has to yield",
  "not-confirmed": ", but has not confirmed it",
  confirmed: "",
};

export function explainSoleController({ rule, other }: SoleController): string {
  if (rule === "own-message") return "this is the controller's own message";
  if (rule === "says-offline") return "another controller announced that this fleet has none";
  return `another controller (${other}) acts for this fleet at the same broker, with a store of its own${endings[rule]}`;
}
