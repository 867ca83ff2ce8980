import { minuteMs } from "#platform/time.ts";
import type { ExecutionProvider } from "../onnxruntime/execution-provider.ts";

export interface BatchDeadlineInput {
  /** Tokens computed: texts × padded length. */
  readonly tokens: number;
  /** Measured speed of this process; null before its first batch. */
  readonly tokensPerMs: number | null;
  readonly provider: ExecutionProvider;
  /** Shortest deadline of a batch, as configured. */
  readonly shortestMs: number;
  /** True for a batch that has already cost two processes: it gets less time, because no other is computed meanwhile. */
  readonly suspect: boolean;
}

export interface BatchDeadline {
  readonly rule: "engine-build" | "unmeasured" | "shortest" | "measured-speed" | "longest";
  readonly deadlineMs: number;
  readonly tokens: number;
  /** Time at the measured speed; null when that is unknown or does not count. */
  readonly expectedMs: number | null;
}

/** A busy machine is slower than a free one, and long texts are slower than short ones. */
const slackFactor = 20;
/** The first batch of a process compiles and allocates what the others use. */
const unmeasuredMs = minuteMs;
/** TensorRT builds an engine for a shape that it has not seen. */
const engineBuildMs = 2 * minuteMs;
const longestMs = 10 * minuteMs;
const suspectShare = 0.2;

/** Decides the deadline of a batch, after which the model's process counts as hanging and is replaced. */
export function decideBatchDeadline(input: BatchDeadlineInput): BatchDeadline {
  const { tokens, tokensPerMs, provider, suspect } = input;
  const unknown = { tokens, expectedMs: null };
  if (provider === "tensorrt")
    return { rule: "engine-build", deadlineMs: Math.max(input.shortestMs, engineBuildMs), ...unknown };
  if (tokensPerMs === null || !(tokensPerMs > 0))
    return { rule: "unmeasured", deadlineMs: Math.max(input.shortestMs, unmeasuredMs), ...unknown };
  const shortestMs = suspect ? input.shortestMs * suspectShare : input.shortestMs;
  const expectedMs = tokens / tokensPerMs;
  const wantedMs = slackFactor * expectedMs;
  if (wantedMs <= shortestMs) return { rule: "shortest", deadlineMs: shortestMs, tokens, expectedMs };
  if (wantedMs >= longestMs)
    return { rule: "longest", deadlineMs: Math.max(shortestMs, longestMs), tokens, expectedMs };
  return { rule: "measured-speed", deadlineMs: wantedMs, tokens, expectedMs };
}
