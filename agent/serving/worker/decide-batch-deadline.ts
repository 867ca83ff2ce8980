import type { ExecutionProvider } from "../onnxruntime/execution-provider.ts";

export interface BatchDeadlineInput {
  /** Tokens computed: texts × padded length. */
  readonly tokens: number;
  /** As measured on this process; null before its first batch. */
  readonly tokensPerMs: number | null;
  readonly provider: ExecutionProvider;
  /** As configured: no batch is given less. */
  readonly shortestMs: number;
  /** The batch has already cost two processes: it is given less, for nobody else is served meanwhile. */
  readonly suspect: boolean;
}

export interface BatchDeadline {
  readonly deadlineMs: number;
  readonly reason: string;
}

/** A busy machine is slower than a free one, and long texts are slower than short ones. */
const slackFactor = 20;
/** The first batch of a process compiles and allocates what the others use. */
const unmeasuredMs = 60_000;
/** TensorRT builds an engine for a shape that it has not seen. */
const engineBuildMs = 120_000;
const longestMs = 600_000;
const suspectShare = 0.2;

/** Deadline of a batch, after which the model's process counts as hanging and is replaced. */
export function decideBatchDeadline(input: BatchDeadlineInput): BatchDeadline {
  const { tokens, tokensPerMs, provider, shortestMs, suspect } = input;
  if (provider === "tensorrt")
    return { deadlineMs: Math.max(shortestMs, engineBuildMs), reason: "TensorRT may have to build an engine" };
  if (tokensPerMs === null || !(tokensPerMs > 0))
    return { deadlineMs: Math.max(shortestMs, unmeasuredMs), reason: "the process has not computed anything yet" };
  const shortest = suspect ? shortestMs * suspectShare : shortestMs;
  const expectedMs = tokens / tokensPerMs;
  if (slackFactor * expectedMs <= shortest)
    return { deadlineMs: shortest, reason: "the shortest deadline of any batch" };
  return {
    deadlineMs: Math.max(shortest, Math.min(longestMs, slackFactor * expectedMs)),
    reason: `${slackFactor} times the ${Math.ceil(expectedMs)} ms that ${tokens} tokens take at the measured speed`,
  };
}
