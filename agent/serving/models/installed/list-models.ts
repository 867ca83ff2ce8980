import { createAvailableModels, modelPlaces } from "#agent/serving/models/available-models.ts";
import type { OnnxChoice } from "#agent/serving/models/decide-onnx-file.ts";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { type CatalogModel, readCatalog } from "#agent/serving/models/pull/catalog.ts";
import type { Logger } from "#platform/log.ts";

/** Directories of a machine's models. */
export interface ModelLocations {
  readonly configured: string | null;
  readonly pulled: string;
}

/** A model, as `thormesh models list` shows it. */
export interface ListedModel {
  readonly id: string;
  readonly name: string;
  readonly aliases: readonly string[];
  /** `embedded`: in the program. `pulled`: by `thormesh models pull`. `directory`: in the configured one. `catalogue`: can be pulled. */
  readonly status: "embedded" | "pulled" | "directory" | "catalogue";
  readonly kind: string;
  readonly dimension: number;
  readonly maxTokens: number;
  readonly pooling: string;
  readonly params: number;
  readonly licence: string;
  readonly repo: string | null;
  readonly revision: string;
  readonly bytes: number | null;
  readonly directory: string | null;
}

function installed({ manifest, origin }: FoundModel, pulledDirectory: string): ListedModel {
  const { id, name, aliases, kind, dimension, maxTokens, pooling, params, licence, revision, source, files } = manifest;
  const sizes = Object.values(files).map(({ bytes }) => bytes);
  return {
    id,
    name,
    aliases,
    status: origin === "embedded" ? "embedded" : origin.startsWith(`${pulledDirectory}/`) ? "pulled" : "directory",
    ...{ kind, dimension, maxTokens, pooling, params, licence },
    repo: source["repo"] ?? null,
    revision,
    bytes: sizes.length === 0 ? null : sizes.reduce((sum, bytes) => sum + bytes, 0),
    directory: origin === "embedded" ? null : origin,
  };
}

function inCatalog(model: CatalogModel): ListedModel {
  const { id, name, aliases, kind, dimension, maxTokens, pooling, params, licence, source } = model;
  return {
    id,
    name,
    aliases,
    status: "catalogue",
    ...{ kind, dimension, maxTokens, pooling, params, licence },
    repo: source.repo,
    revision: source.revision,
    bytes: null,
    directory: null,
  };
}

/** Lists the models on this machine. A directory that can't be read is logged. */
export async function installedModels(
  { configured, pulled }: ModelLocations,
  choice: OnnxChoice,
  log: Logger,
): Promise<readonly FoundModel[]> {
  const available = createAvailableModels(modelPlaces(configured, pulled), choice, log);
  await available.refresh();
  return available.list();
}

/** Lists the installed models, then those that can be pulled. */
export function listModels(models: readonly FoundModel[], pulledDirectory: string): ListedModel[] {
  const present = models.map((model) => installed(model, pulledDirectory));
  const ids = new Set(present.map(({ id }) => id));
  return [
    ...present,
    ...readCatalog()
      .filter(({ id }) => !ids.has(id))
      .map(inCatalog),
  ];
}
