import type { ExecutionProvider } from "./execution-provider.ts";

export interface ProviderAttempt {
  /** In the order in which ONNX Runtime offers them the model's operators; it computes on the CPU what none of them takes. */
  readonly providers: readonly ExecutionProvider[];
}

const fastestFirst: readonly ExecutionProvider[] = ["tensorrt", "cuda", "cpu"];

/**
 * Which sets of providers a model's process tries, one after another, until one works: each wanted one with all those after it. A list
 * without the CPU ends without it: then a model that no GPU takes can't be loaded, which is said instead of serving it slowly.
 * @param wanted `auto`: every provider for which the operator's directory has a library, the fastest first, then the CPU
 * @param present the files of the operator's directory; empty: there is only the carried library, which computes on the CPU
 */
export function decideProviderAttempts(
  wanted: readonly ExecutionProvider[] | "auto",
  present: readonly string[],
): readonly ProviderAttempt[] {
  const libraryOf = (provider: ExecutionProvider) => `libonnxruntime_providers_${provider}.so`;
  const list =
    wanted === "auto"
      ? fastestFirst.filter((provider) => provider === "cpu" || present.includes(libraryOf(provider)))
      : [...new Set(wanted)];
  return list.map((_, place) => ({ providers: list.slice(place) }));
}
