import type { ExecutionProvider } from "./execution-provider.ts";

export interface ProviderAttempt {
  /** Providers in the order in which ONNX Runtime offers them the model's operators; the CPU computes those that none of them takes. */
  readonly providers: readonly ExecutionProvider[];
}

export interface ProviderDecision {
  readonly rule: "configured" | "present-libraries";
  /** Tried one after another until one works. */
  readonly attempts: readonly ProviderAttempt[];
}

const fastestFirst: readonly ExecutionProvider[] = ["tensorrt", "cuda", "cpu"];

/**
 * Decides the sets of providers that a model's process tries: each wanted one together with all those after it. A list without the CPU stays
 * without it, so that a model that no GPU takes fails to load instead of being slow.
 * @param wanted `auto`: every provider whose library is present, the fastest first, then the CPU
 * @param present files of the operator's directory; empty: there is only the carried library, which computes on the CPU
 */
export function decideProviders(
  wanted: readonly ExecutionProvider[] | "auto",
  present: readonly string[],
): ProviderDecision {
  const libraryOf = (provider: ExecutionProvider) => `libonnxruntime_providers_${provider}.so`;
  const list =
    wanted === "auto"
      ? fastestFirst.filter((provider) => provider === "cpu" || present.includes(libraryOf(provider)))
      : [...new Set(wanted)];
  return {
    rule: wanted === "auto" ? "present-libraries" : "configured",
    attempts: list.map((_, place) => ({ providers: list.slice(place) })),
  };
}
