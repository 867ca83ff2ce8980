import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { AgentConfig } from "#agent/config.ts";
import { modelPlaces } from "#agent/serving/models/available-models.ts";
import { pulledModelsDirectory } from "#agent/serving/models/pulled-models-directory.ts";
import { findUntrusted, findUntrustedInTree } from "#platform/files/check-trusted-path.ts";
import { type CheckResult, failed } from "./check.ts";

const maxNamed = 10;

function entriesOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // may not exist
  }
}

/** Checks that other users can't have created or changed files that an agent loads: it would ignore them or refuse to start. Empty: all fine. */
export function checkTrust(configPath: string | null, config: AgentConfig, stateDir: string): CheckResult[] {
  const name = "loaded files";
  const { onnxruntimeDirectory, modelDirectory } = config.serving;
  const models = modelPlaces(modelDirectory, pulledModelsDirectory(stateDir)).flatMap((place) =>
    entriesOf(place).map((entry) => join(place, entry)),
  );
  const flaws = [
    ...[configPath, stateDir, onnxruntimeDirectory, config.forecast.modelDir].map((path) =>
      path === null ? null : findUntrusted(path),
    ),
    ...models.map((path) => findUntrustedInTree(path)),
  ].filter((flaw) => flaw !== null);
  const distinct = [...new Set(flaws)];
  if (distinct.length === 0) return [];
  const detail = `other users could have changed files that are loaded here (${distinct.length})`;
  return [failed(name, detail, distinct.slice(0, maxNamed).join("\n"))];
}
