import { chmod, copyFile, mkdir, readdir, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { isModelDirectory, readInstalledManifest } from "#agent/serving/models/find-model.ts";
import { UsageError } from "#platform/errors.ts";
import { type CatalogModel, findInCatalog } from "./catalog.ts";
import { decidePullFiles } from "./decide-pull-files.ts";
import { explainPullFiles } from "./explain-pull-files.ts";
import { hashFile } from "./hash-file.ts";
import { installPulled } from "./install-pulled.ts";
import { isModelId } from "./parse-model-name.ts";
import { PullError } from "./pull-error.ts";
import { explainDisk, type PulledModel, type PullRequest, refuseFullDisk, refuseTooMuch } from "./pull-model.ts";
import { openStaging, type Staging } from "./staging.ts";

/** Lists the files of a directory and of its directories, following links. */
async function filesOf(directory: string, depth = 2): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const info = await stat(path).catch(() => null);
    if (info?.isFile()) found.push(name);
    else if (info?.isDirectory() && depth > 1)
      found.push(...(await filesOf(path, depth - 1)).map((inner) => `${name}/${inner}`));
  }
  return found;
}

/** Returns the model's name for a directory, also for one of Hugging Face's cache: `models--organisation--name/snapshots/COMMIT`. */
function nameOf(directory: string): string {
  const cached = /(?:^|\/)models--([^/]+?)--([^/]+)\/snapshots\/[^/]+$/.exec(directory);
  return cached === null ? basename(directory) : `${cached[1]}/${cached[2]}`;
}

/**
 * Copies a model from a directory of this machine: checks its files against their manifest, if any, loads the model once, and installs it
 * in one step.
 * @param name default: from the manifest, or else the directory
 * @throws UsageError when there is no model, PullError when it can't be served; the signal's reason when it aborts.
 */
export async function copyModel(
  from: string,
  name: string | undefined,
  catalog: readonly CatalogModel[],
  request: Omit<PullRequest, "access" | "sleep">,
): Promise<PulledModel> {
  const { modelsDirectory, choice, events, signal } = request;
  const origin = resolve(from);
  const info = await stat(origin).catch(() => null);
  if (info === null) throw new UsageError(`--from ${from}: there is no such directory`);
  if (!info.isDirectory()) throw new UsageError(`--from ${from}: expected a directory, got a file`);
  if (!isModelDirectory(origin))
    throw new UsageError(`--from ${from}: expected a model (manifest.json, or config.json, tokenizer.json and *.onnx)`);
  const own = await readInstalledManifest(origin);
  const wanted = name ?? own?.id ?? nameOf(origin);
  const known = findInCatalog(catalog, wanted) ?? null;
  const id = known?.id ?? wanted;
  if (!isModelId(id)) throw new UsageError(`"${id}" can't be a model's name here: expected name or organisation/name`);
  const target = join(modelsDirectory, id);
  if (relative(origin, target) === "") throw new UsageError(`--from ${from} is already the directory of pulled models`);
  const decision = decidePullFiles(await filesOf(origin), choice);
  if (decision.kind === "refuse") throw new PullError(`${from}: ${explainPullFiles(decision)}`);

  let staging: Staging | undefined;
  let installed = false;
  try {
    const sizes = await Promise.all(decision.paths.map(async (path) => (await stat(join(origin, path))).size));
    staging = await openStaging(modelsDirectory, id, `directory ${origin}`);
    const { directory } = staging;
    const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
    refuseTooMuch(
      decision.paths.map((path, index) => ({ path, bytes: sizes[index] ?? null })),
      request.maxBytes,
    );
    await refuseFullDisk(directory, total);
    events.onPlan(decision.paths, total);
    const files: PulledModel["files"][number][] = [];
    for (const path of decision.paths) {
      signal.throwIfAborted();
      const copy = join(directory, path);
      await mkdir(dirname(copy), { recursive: true });
      await copyFile(join(origin, path), copy);
      // A copy has the original's mode, and files that others can write to are not loaded.
      await chmod(copy, 0o666 & ~process.umask());
      const { bytes, sha256 } = await hashFile(copy);
      const expected = own?.files[path]?.sha256;
      if (expected !== undefined && expected !== sha256)
        throw new PullError(`${path} is not the file of its manifest: expected sha256 ${expected}, got ${sha256}`);
      const file = {
        path,
        bytes,
        sha256,
        evidence: expected === undefined ? ("size" as const) : ("manifest sha256" as const),
        resumedAt: 0,
      };
      events.onProgress(path, bytes);
      events.onFile(file);
      files.push(file);
    }
    const repo = known?.source.repo ?? id;
    const source = { repo, copiedFrom: basename(origin) };
    const provenance = { id, revision: own?.revision ?? null, licence: null, source, known };
    const revision = await installPulled(staging, files, provenance, request);
    installed = true;
    return { id, directory: target, repo, revision, commit: null, unchanged: false, files };
  } catch (error) {
    throw explainDisk(error, modelsDirectory);
  } finally {
    // Half a copy is of no use, because the original is still there.
    if (!installed) await staging?.discard().catch(() => {});
    await staging?.release();
  }
}
