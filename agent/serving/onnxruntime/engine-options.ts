import { type Static, Type } from "@sinclair/typebox";
import { orNull, Path } from "#platform/config-fields.ts";
import { ExecutionProvider } from "./execution-provider.ts";

/** Configuration of the engine, among `serving`'s other keys. */
export const engineConfig = {
  executionProviders: Type.Union(
    [Type.Literal("auto"), Type.Array(ExecutionProvider, { minItems: 1, maxItems: 8, uniqueItems: true })],
    {
      default: "auto",
      description:
        "tried in this order, e.g. [tensorrt, cuda, cpu]; without cpu, a model that no GPU accepts is not served; auto: everything in onnxruntimeDirectory, fastest first, then the CPU",
    },
  ),
  onnxruntimeDirectory: orNull(
    Path,
    "directory of libonnxruntime.so.1 (1.30 or newer) and the libonnxruntime_providers_*.so built with it; null: the built-in library, which computes on the CPU",
  ),
  tensorrt: Type.Object(
    {
      engineCacheDirectory: orNull(Path, "directory for built engines, one per model; null: rebuilt at every start"),
      fp16: Type.Boolean({ default: true, description: "half precision: about twice as fast" }),
      timingCache: Type.Boolean({ default: true, description: "reuse measurements of one engine for the next" }),
      maxWorkspaceBytes: orNull(
        Type.Integer({ minimum: 1, maximum: 1_099_511_627_776 }),
        "memory for building an engine; null: the library's default",
      ),
    },
    { additionalProperties: false, default: {}, description: "Settings of TensorRT." },
  ),
};
const EngineConfig = Type.Object(engineConfig);
export type EngineConfig = Static<typeof EngineConfig>;

export const WorkerEngine = Type.Object(
  {
    providers: engineConfig.executionProviders,
    onnxruntimeDirectory: engineConfig.onnxruntimeDirectory,
    engineCacheDirectory: Type.Union([Type.String(), Type.Null()], { default: null }),
    /** Batches that a GPU computes before it is ready. */
    warmUp: Type.Array(Type.Object({ texts: Type.Integer(), paddedTokens: Type.Integer() }), { default: [] }),
  },
  { additionalProperties: false },
);
export type WorkerEngine = Static<typeof WorkerEngine>;

/**
 * Returns the environment variables of a model's process: TensorRT takes its settings only from there when it is used from JavaScript, and
 * the system's loader searches the operator's directory for CUDA's libraries too.
 */
export function engineEnvironment(
  { onnxruntimeDirectory, engineCacheDirectory }: Pick<WorkerEngine, "onnxruntimeDirectory" | "engineCacheDirectory">,
  { fp16, timingCache, maxWorkspaceBytes }: EngineConfig["tensorrt"],
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  // Empty: the carried library, whatever this process' own environment has.
  if (onnxruntimeDirectory === null) return { THORMESH_ONNXRUNTIME_DIR: "" };
  const searched = environment["LD_LIBRARY_PATH"];
  return {
    THORMESH_ONNXRUNTIME_DIR: onnxruntimeDirectory,
    LD_LIBRARY_PATH: searched ? `${onnxruntimeDirectory}:${searched}` : onnxruntimeDirectory,
    ORT_TENSORRT_FP16_ENABLE: fp16 ? "1" : "0",
    ORT_TENSORRT_TIMING_CACHE_ENABLE: timingCache && engineCacheDirectory !== null ? "1" : "0",
    ORT_TENSORRT_ENGINE_CACHE_ENABLE: engineCacheDirectory === null ? "0" : "1",
    ...(engineCacheDirectory === null ? {} : { ORT_TENSORRT_CACHE_PATH: engineCacheDirectory }),
    ...(maxWorkspaceBytes === null ? {} : { ORT_TENSORRT_MAX_WORKSPACE_SIZE: String(maxWorkspaceBytes) }),
  };
}
