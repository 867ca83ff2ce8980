import type { AdmissionDecision } from "./decide-admission.ts";

/** Message for the client whose request is refused, and for `thormesh decide admission`. */
export function explainAdmission(decision: AdmissionDecision): string {
  switch (decision.rule) {
    case "fits":
      return "it fits into the queue";
    case "too-large":
      return `expected at most ${decision.limit} ${decision.measure}, got ${decision.asked}`;
    case "queue-full":
      return `the queue is full: ${decision.waiting} of ${decision.limit} ${decision.measure}`;
    case "long-wait":
      return `the expected wait is about ${Math.round(decision.expectedMs)} ms; the limit is ${decision.limitMs} ms`;
    case "client-deadline":
      return `the answer would take about ${Math.round(decision.expectedMs)} ms; the client waits ${decision.limitMs} ms`;
    case "request-timeout":
      return `the answer would take about ${Math.round(decision.expectedMs)} ms; a request may take ${decision.limitMs} ms`;
  }
}
