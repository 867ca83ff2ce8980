import type { ModelSourceConfig } from "#agent/model-source-config.ts";
import { UsageError } from "#platform/errors.ts";
import type { HubAccess } from "./hub-request.ts";

const huggingFace = "https://huggingface.co";

/**
 * How the hub is reached: by the option, else the configuration, else the environment (Hugging Face's own variables too).
 * @throws UsageError when the address is none.
 */
export function readHubAccess(
  option: string | undefined,
  config: ModelSourceConfig,
  environment: Readonly<Record<string, string | undefined>>,
): HubAccess {
  const url = option ?? config.url ?? (environment["THORMESH_MODELS_URL"] || environment["HF_ENDPOINT"] || huggingFace);
  const parsed = URL.parse(url);
  if (parsed === null || !["http:", "https:"].includes(parsed.protocol))
    throw new UsageError(`the hub's address: expected http://… or https://…, got "${url}"`);
  const token =
    config.token ??
    (environment["THORMESH_MODELS_TOKEN"] || environment["HF_TOKEN"] || environment["HUGGING_FACE_HUB_TOKEN"] || null);
  return { baseUrl: url.replace(/\/+$/, ""), token, timeoutMs: config.timeoutS * 1000 };
}
