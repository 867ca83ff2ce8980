import { expect, test } from "bun:test";
import type { AdmissionDecision } from "#agent/serving/admission/decide-admission.ts";
import { explainAdmission } from "#agent/serving/admission/explain-admission.ts";

const full = { rule: "queue-full", measure: "tokens", waiting: 262_144, limit: 262_144, retryAfterS: 2 } as const;

test.each<{ decision: AdmissionDecision; text: string }>([
  { decision: { kind: "admit", rule: "fits" }, text: "it fits into the queue" },
  {
    decision: { kind: "too-large", rule: "too-large", measure: "texts", asked: 5_000, limit: 4_096 },
    text: "expected at most 4096 texts, got 5000",
  },
  { decision: { kind: "wait", ...full }, text: "the queue is full: 262144 of 262144 tokens" },
  {
    decision: { kind: "make-room", missing: { requests: 1, texts: 0, bytes: 0 }, ...full },
    text: "the queue is full: 262144 of 262144 tokens",
  },
  {
    decision: { kind: "wait", rule: "long-wait", expectedMs: 6_000.4, limitMs: 5_000, retryAfterS: 2 },
    text: "the expected wait is about 6000 ms; the limit is 5000 ms",
  },
  {
    decision: { kind: "wait", rule: "client-deadline", expectedMs: 3_500, limitMs: 100, retryAfterS: 4 },
    text: "the answer would take about 3500 ms; the client waits 100 ms",
  },
  {
    decision: { kind: "wait", rule: "request-timeout", expectedMs: 40_000, limitMs: 30_000, retryAfterS: 13 },
    text: "the answer would take about 40000 ms; a request may take 30000 ms",
  },
])("$decision.rule: $text", ({ decision, text }) => {
  expect(explainAdmission(decision)).toBe(text);
});
