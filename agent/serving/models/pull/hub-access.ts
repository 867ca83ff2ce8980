import type { ModelSourceConfig } from "#agent/model-source-config.ts";
import { UsageError } from "#platform/errors.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import { readSecretFile, secretFromEnvironment } from "#platform/files/read-secret-file.ts";
import { secondMs } from "#platform/time.ts";
import type { HubAccess } from "./hub-request.ts";

const huggingFace = "https://huggingface.co";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the hub's address and token from the options, else the configuration, else the environment (Hugging Face's own variables too). A
 * token is sent only to the server that it was given for: that of the configuration to the configured address, Hugging Face's to
 * huggingface.co or the `HF_ENDPOINT` beside it.
 * @returns also the name of a token that is configured but not sent, because it was given for another server; null: none
 * @throws UsageError for an address that is not http(s), or a token's file that can't be used.
 */
export function readHubAccess(
  options: { readonly url: string | undefined; readonly tokenFile: string | undefined },
  config: Pick<ModelSourceConfig, "url" | "token" | "timeoutS">,
  environment: Environment,
): { readonly access: HubAccess; readonly withheld: string | null } {
  const endpoint = environment["HF_ENDPOINT"] || huggingFace;
  const configured = config.url ?? (environment["THORMESH_MODELS_URL"] || endpoint);
  const url = options.url ?? configured;
  const parsed = URL.parse(url);
  if (parsed === null || !["http:", "https:"].includes(parsed.protocol))
    throw new UsageError(`the hub's address: expected http://… or https://…, got "${redactUrl(url)}"`);
  const fromFile = options.tokenFile === undefined ? null : readSecretFile(options.tokenFile, "--token-file");
  const ownVariable = "THORMESH_MODELS_TOKEN";
  /** With the addresses that each was given for. */
  const tokens = [
    { name: "--token-file", token: fromFile, urls: [url] },
    { name: "models.token", token: config.token, urls: [configured] },
    { name: ownVariable, token: secretFromEnvironment(environment, ownVariable), urls: [configured] },
    ...["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"].map((name) => ({
      name,
      token: environment[name] || null,
      urls: [endpoint, huggingFace],
    })),
  ];
  const present = tokens.filter(({ token }) => (token ?? null) !== null);
  const chosen = present.find(({ urls }) => urls.some((known) => URL.parse(known)?.origin === parsed.origin));
  return {
    access: { baseUrl: url.replace(/\/+$/, ""), token: chosen?.token ?? null, timeoutMs: config.timeoutS * secondMs },
    withheld: chosen === undefined ? (present[0]?.name ?? null) : null,
  };
}
