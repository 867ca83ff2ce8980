import { existsSync } from "node:fs";
import { join } from "node:path";
import { InferenceSession, listSupportedBackends } from "onnxruntime-node";
import { describeError } from "#platform/errors.ts";
import { findUntrusted } from "#platform/files/check-trusted-path.ts";
import type { ProviderAttempt } from "./decide-providers.ts";
import type { EngineReport, ExecutionProvider } from "./execution-provider.ts";

export interface OpenedSession extends Pick<EngineReport, "provider" | "refused"> {
  readonly session: InferenceSession;
}

/**
 * Returns the error of the system's loader for a provider's library; null when it has none. ONNX Runtime itself only reports that it could
 * not be loaded, and prints the rest. Called after ONNX Runtime has tried: the library can't be loaded alone before.
 */
function loaderReason(provider: ExecutionProvider, directory: string | null): string | null {
  if (directory === null)
    return `the built-in ONNX Runtime has no ${provider}; configure one that does in serving.onnxruntimeDirectory`;
  for (const name of ["libonnxruntime_providers_shared.so", `libonnxruntime_providers_${provider}.so`]) {
    const path = join(directory, name);
    if (!existsSync(path)) return `${path} is missing`;
    const flaw = findUntrusted(path);
    if (flaw !== null) return flaw;
    try {
      process.dlopen({ exports: {} }, path);
    } catch (error) {
      const reason = describeError(error);
      // A library that can be loaded fails here for not being an addon.
      if (/cannot open shared object|undefined symbol|version `/.test(reason)) return reason;
    }
  }
  return null;
}

function explain(provider: ExecutionProvider, error: unknown, directory: string | null): string {
  const said = describeError(error);
  if (!listSupportedBackends().some(({ name }) => name === provider)) {
    return `the addon for ${process.arch} has no ${provider}: put an onnxruntime_binding.node built with it beside the library`;
  }
  return said.includes("Failed to load shared library") ? (loaderReason(provider, directory) ?? said) : said;
}

/**
 * Loads a model with the first of the attempts that works.
 * @param directory the operator's ONNX Runtime; null: the carried one
 * @throws Error with every provider's reason when none works.
 */
export async function openSession(
  source: Uint8Array | string,
  attempts: readonly ProviderAttempt[],
  options: InferenceSession.SessionOptions,
  directory: string | null,
): Promise<OpenedSession> {
  const refused: EngineReport["refused"] = [];
  let last: unknown;
  for (const { providers } of attempts) {
    const [provider] = providers;
    if (provider === undefined) continue;
    const all = { ...options, executionProviders: [...providers] };
    try {
      const session =
        typeof source === "string"
          ? await InferenceSession.create(source, all)
          : await InferenceSession.create(source, all);
      return { session, provider, refused };
    } catch (error) {
      last = error;
      refused.push({ provider, reason: explain(provider, error, directory) });
    }
  }
  const [only, ...others] = refused;
  if (only !== undefined && others.length === 0 && only.provider === "cpu") throw last;
  throw new Error(
    `none of the execution providers works: ${refused.map(({ provider, reason }) => `${provider}: ${reason}`).join("; ")}`,
    { cause: last },
  );
}
