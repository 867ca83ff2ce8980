import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import type { RoleView, TrafficSink } from "#agent/serving/ports.ts";
import type { EmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import type { ServingMetrics } from "#agent/serving/serving-metrics.ts";
import type { TokenIdsSetting } from "#agent/serving/text/decide-token-ids.ts";
import type { InputRules } from "#agent/serving/text/input-rules.ts";
import type { Logger } from "#platform/log.ts";
import type { AdmissionLimits } from "./decide-admission.ts";
import type { AcquireModel } from "./lease-model.ts";
import type { NamingLimits } from "./name-tokens.ts";
import type { ResultCache } from "./result-cache.ts";

/** Parts from which the way from texts to vectors is made. */
export interface EmbedderParts {
  readonly acquireModel: AcquireModel;
  /** Finds a model by id or alias, the default one without a name; null where there is none. */
  readonly findModel: (name: string | undefined) => EmbeddingModel["found"] | null;
  /** Returns a loaded model by its id; null where it is not loaded. */
  readonly loadedModel: (id: string) => Pick<EmbeddingModel, "queue"> | null;
  /** Texts of all models that wait for a batch. */
  readonly queueDepth: () => number;
  readonly sink: TrafficSink;
  readonly role: RoleView;
  readonly metrics: ServingMetrics;
  readonly cache: ResultCache;
  readonly stopping: () => boolean;
  readonly limits: AdmissionLimits & NamingLimits & Pick<InputRules, "emptyTexts">;
  /** Returns how a model's clients mean token ids. Default: marked. */
  readonly tokenIdsOf?: (manifest: FoundModel["manifest"]) => TokenIdsSetting;
  /** A tenant's weight; default: 1 for all. */
  readonly weightOf?: (tenant: string) => number;
  readonly log: Logger;
}
