import { type Static, Type } from "@sinclair/typebox";

/** What ONNX Runtime can compute on. */
export const ExecutionProvider = Type.Union([Type.Literal("tensorrt"), Type.Literal("cuda"), Type.Literal("cpu")]);
export type ExecutionProvider = Static<typeof ExecutionProvider>;

/** What a model's process found when it started: who computes, and why the others of the list don't. */
export const EngineReport = Type.Object({
  provider: ExecutionProvider,
  /** Those that were tried before, in their order, each with the library's own reason. */
  refused: Type.Array(Type.Object({ provider: ExecutionProvider, reason: Type.String() })),
  /** Of ONNX Runtime; null where the library doesn't say. */
  libraryVersion: Type.Union([Type.String(), Type.Null()]),
  /** The operator's library; null: the carried one. */
  libraryPath: Type.Union([Type.String(), Type.Null()]),
  /** Why the carried library computes instead of the operator's; null when that is used or none is named. */
  libraryProblem: Type.Union([Type.String(), Type.Null()]),
  /** TensorRT's engines of this model: built at this start, or found in the cache. Null without TensorRT or without a cache directory. */
  engines: Type.Union([Type.Object({ built: Type.Integer(), reused: Type.Integer() }), Type.Null()]),
});
export type EngineReport = Static<typeof EngineReport>;

/** For a log line or a health check: what computes, and what was to and doesn't. */
export function describeEngine({
  provider,
  refused,
  libraryVersion,
  libraryPath,
  libraryProblem,
}: EngineReport): string {
  const where = { cpu: "on the CPU", cuda: "on the GPU with CUDA", tensorrt: "on the GPU with TensorRT" }[provider];
  const whose = libraryPath === null ? "" : ` from ${libraryPath}`;
  const named = libraryProblem === null ? "" : `; the one that is named can't be used: ${libraryProblem}`;
  const instead = refused.map((tried) => `; ${tried.provider} can't be used: ${tried.reason}`).join("");
  return `ONNX Runtime${libraryVersion === null ? "" : ` ${libraryVersion}`}${whose} ${where}${named}${instead}`;
}
