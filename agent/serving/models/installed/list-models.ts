import { createAvailableModels, modelPlaces } from "#agent/serving/models/available-models.ts";
import type { OnnxChoice } from "#agent/serving/models/decide-onnx-file.ts";
import { couplingOperators, explainBatchCoupling } from "#agent/serving/models/files/batch-coupling.ts";
import { readOperators } from "#agent/serving/models/files/onnx-operators.ts";
import type { FoundModel, ModelManifest } from "#agent/serving/models/model-manifest.ts";
import { type CatalogModel, readCatalog } from "#agent/serving/models/pull/catalog.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";

type SharedFields = Pick<
  ModelManifest,
  "id" | "name" | "aliases" | "kind" | "dimension" | "maxTokens" | "pooling" | "params" | "licence"
>;

/** A model, as `thormesh models list` shows it. */
export interface ListedModel extends SharedFields {
  /** `embedded`: in the program. `pulled`: by `thormesh models pull`. `directory`: in the configured one. `catalogue`: can be pulled. */
  readonly status: "embedded" | "pulled" | "directory" | "catalogue";
  readonly repo: string | null;
  readonly revision: string;
  readonly bytes: number | null;
  readonly directory: string | null;
  /** For people: why this ONNX file, what the model's files leave open, and what its operators mean for serving it. */
  readonly notes: readonly string[];
}

/** Notes about a model's ONNX file: whether its texts are computed one by one. */
function operatorNotes({ modelPath, origin }: FoundModel): string[] {
  // The program's own models have none that couple texts, and lie inside the executable.
  if (origin === "embedded") return [];
  try {
    const operators = couplingOperators(readOperators(modelPath));
    return operators.length === 0 ? [] : [explainBatchCoupling({ kind: "operators", operators })];
  } catch (error) {
    return [`its ONNX file can't be read: ${describeError(error)}`];
  }
}

function listed(model: SharedFields, own: Omit<ListedModel, keyof SharedFields>): ListedModel {
  const { id, name, aliases, kind, dimension, maxTokens, pooling, params, licence } = model;
  const { status, repo, revision, bytes, directory, notes } = own;
  return {
    ...{ id, name, aliases, status, kind, dimension, maxTokens, pooling, params, licence },
    ...{ repo, revision, bytes, directory, notes },
  };
}

function installed(found: FoundModel, pulledDirectory: string): ListedModel {
  const { manifest, origin } = found;
  const { source, revision, files } = manifest;
  const sizes = Object.values(files).map(({ bytes }) => bytes);
  return listed(manifest, {
    status: origin === "embedded" ? "embedded" : origin.startsWith(`${pulledDirectory}/`) ? "pulled" : "directory",
    repo: source["repo"] ?? null,
    revision,
    bytes: sizes.length === 0 ? null : sizes.reduce((sum, bytes) => sum + bytes, 0),
    directory: origin === "embedded" ? null : origin,
    notes: [...found.notes, ...operatorNotes(found)],
  });
}

function inCatalog(model: CatalogModel): ListedModel {
  return listed(model, { status: "catalogue", ...model.source, bytes: null, directory: null, notes: [] });
}

/** Lists the models on this machine. A directory that can't be read is logged. */
export async function installedModels(
  { configured, pulled }: { readonly configured: string | null; readonly pulled: string },
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
