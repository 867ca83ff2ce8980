import type { FailureRule } from "./decide-health.ts";

/** Words for what a new version lacked. */
export function explainHealth(rule: FailureRule, service: string): string {
  switch (rule) {
    case "no-answer":
      return `the ${service} did not answer`;
    case "old-version":
      return `the ${service} still ran the previous version: it was not restarted`;
    case "not-ready":
      return `the ${service} was not ready`;
    case "not-serving":
      return `the ${service} did not answer a request for vectors`;
    case "no-broker":
      return `the ${service} did not reach the fleet's broker, as it did before`;
    default:
      return rule satisfies never;
  }
}
