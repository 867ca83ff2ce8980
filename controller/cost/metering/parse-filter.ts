import type { AllocationFilter } from "../allocation/allocation-input.ts";
import { fieldFault } from "../allocation/group-key.ts";

export const filterForms =
  'conditions such as namespace:"shop"+node!:"thor-1" (also ~: contains, <~: starts with, label[env])';

const operators = { ":": "eq", "!:": "not-eq", "~:": "contains", "<~:": "starts-with" } as const;
const condition = /^([A-Za-z]+)(?:\[([^\]"]{1,120})\])?(!:|~:|<~:|:)"([^"]{0,256})"(\+|$)/;

/** Parses a filter in OpenCost's words: conditions joined by +, all of which must hold; null for no filter. */
export function parseFilter(text: string): AllocationFilter[] | null | { readonly expected: string } {
  if (text === "") return null;
  const conditions: AllocationFilter[] = [];
  let rest = text;
  while (rest !== "") {
    const match = condition.exec(rest);
    if (match === null) return { expected: filterForms };
    const [all, name = "", label, operator = ":", value = "", join] = match;
    const field = label === undefined ? name : `${name}:${label}`;
    const fault = fieldFault(field);
    if (fault !== null) return { expected: fault.replace(/^expected /, "").replace(/, got .*$/, "") };
    conditions.push({ op: operators[operator as keyof typeof operators], field, value });
    rest = rest.slice(all.length);
    if (join === "+" && rest === "") return { expected: filterForms };
  }
  return conditions;
}
