import { type Static, Type } from "@sinclair/typebox";
import { literals, orNull } from "#platform/schema-parts.ts";

/** Devices on which ONNX Runtime can compute. */
export const ExecutionProvider = literals("tensorrt", "cuda", "cpu");
export type ExecutionProvider = Static<typeof ExecutionProvider>;

/** Result of a model process' start: the provider that computes, and why those tried before don't. */
export const EngineReport = Type.Object({
  provider: ExecutionProvider,
  /** Providers that were tried before, in order, each with the library's own reason. */
  refused: Type.Array(Type.Object({ provider: ExecutionProvider, reason: Type.String() })),
  /** Version of ONNX Runtime; null when the library doesn't state it. */
  libraryVersion: orNull(Type.String()),
  /** Path of the operator's library; null: the carried one. */
  libraryPath: orNull(Type.String()),
  /** Reason why the carried library computes instead of the operator's; null when that is used or none is configured. */
  libraryProblem: orNull(Type.String()),
  /** Number of TensorRT's engines built at this start, and of those found in the cache; null without TensorRT or a cache directory. */
  engines: orNull(Type.Object({ built: Type.Integer(), reused: Type.Integer() })),
});
export type EngineReport = Static<typeof EngineReport>;

/** Returns the sentence for a log line or a health check. */
export function explainEngine(report: EngineReport): string {
  const { provider, refused, libraryVersion, libraryPath, libraryProblem } = report;
  const where = { cpu: "on the CPU", cuda: "on the GPU with CUDA", tensorrt: "on the GPU with TensorRT" }[provider];
  const whose = libraryPath === null ? "" : ` from ${libraryPath}`;
  const named = libraryProblem === null ? "" : `; the configured one can't be used: ${libraryProblem}`;
  const instead = refused.map((tried) => `; ${tried.provider} can't be used: ${tried.reason}`).join("");
  return `ONNX Runtime${libraryVersion === null ? "" : ` ${libraryVersion}`}${whose} ${where}${named}${instead}`;
}
