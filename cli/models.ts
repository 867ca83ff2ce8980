import { statSync } from "node:fs";
import { parseAgentConfig } from "#agent/check-config.ts";
import type { AgentConfig } from "#agent/config.ts";
import { onnxChoice } from "#agent/serving/models/find-model.ts";
import { installedModels, listModels } from "#agent/serving/models/installed/list-models.ts";
import { removeModel } from "#agent/serving/models/installed/remove-model.ts";
import { verifyModel } from "#agent/serving/models/installed/verify-model.ts";
import { Precision } from "#agent/serving/models/model-manifest.ts";
import { findInCatalog, readCatalog } from "#agent/serving/models/pull/catalog.ts";
import { copyModel } from "#agent/serving/models/pull/copy-model.ts";
import { readHubAccess } from "#agent/serving/models/pull/hub-access.ts";
import type { HubAccess } from "#agent/serving/models/pull/hub-request.ts";
import { parseModelName } from "#agent/serving/models/pull/parse-model-name.ts";
import { pullModel } from "#agent/serving/models/pull/pull-model.ts";
import { createPullProgress } from "#agent/serving/models/pull/pull-progress.ts";
import { pulledModelsDirectory } from "#agent/serving/models/pulled-models-directory.ts";
import { cleanText } from "#platform/clean-text.ts";
import { UsageError } from "#platform/errors.ts";
import { defaultStateDir } from "#platform/files/default-state-dir.ts";
import { createLogger } from "#platform/log.ts";
import { suggest } from "#platform/near-names.ts";
import {
  type Command,
  type OptionValues,
  optionalChoice,
  optionalNumber,
  optionalString,
  unexpectedWord,
} from "#platform/terminal/command.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { readInput } from "./run/read-input.ts";

interface Context {
  readonly values: OptionValues;
  readonly names: readonly string[];
  readonly config: AgentConfig;
  readonly pulled: string;
  readonly json: boolean;
}

const print = (value: unknown) => console.log(JSON.stringify(value, null, 2));
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

function choiceOf({ values, config }: Context) {
  const precision = optionalChoice(values, "precision", [
    "auto",
    ...Precision.anyOf.map((option) => option.const),
  ] as const);
  return onnxChoice({ precision: precision ?? config.serving.precision });
}

const installed = (context: Context) =>
  installedModels(
    { configured: context.config.serving.modelDirectory, pulled: context.pulled },
    choiceOf(context),
    createLogger("models", "error"),
  );

async function list(context: Context): Promise<number> {
  const models = listModels(await installed(context), context.pulled);
  if (context.json) print({ models });
  else {
    const rows = models.map((model) => [
      model.id,
      model.status,
      model.kind === "embedding" ? String(model.dimension) : model.kind,
      String(model.maxTokens),
      `${(model.params / 1e6).toFixed(0)} M`,
      model.bytes === null ? "-" : megabytes(model.bytes),
      model.licence,
      model.name,
    ]);
    const head = ["MODEL", "STATUS", "DIMENSION", "TOKENS", "WEIGHTS", "SIZE", "LICENCE", "NAME"];
    console.log(formatTable(head, rows));
    for (const { id, notes } of models) for (const note of notes) console.log(cleanText(`${id}: ${note}`));
  }
  return 0;
}

function hubAccess({ values, config }: Context): HubAccess {
  const options = { url: optionalString(values, "url"), tokenFile: optionalString(values, "token-file") };
  const { access, withheld } = readHubAccess(options, config.models, process.env);
  if (withheld !== null) {
    const { host } = new URL(access.baseUrl);
    console.error(
      `${withheld} is meant for another server, so no token is sent to ${host} (set one with --token-file FILE)`,
    );
  }
  return access;
}

async function pull(context: Context): Promise<number> {
  const { values, names, pulled, json } = context;
  const [name, ...others] = names;
  const from = optionalString(values, "from");
  if (others.length > 0 || (name === undefined && from === undefined))
    throw new UsageError("expected one model: an id of the catalogue or organisation/name[@revision]");
  const interrupted = new AbortController();
  const interrupt = () =>
    interrupted.abort(new Error(from === undefined ? "interrupted: run the same command to resume" : "interrupted"));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, interrupt);
  const progress = createPullProgress(process.stderr);
  const request = {
    modelsDirectory: pulled,
    choice: choiceOf(context),
    maxBytes:
      optionalNumber(values, "max-bytes", { min: 1, max: 1e13, integer: true }) ?? context.config.models.maxBytes,
    force: values["force"] === true,
    events: progress,
    signal: interrupted.signal,
  };
  try {
    const catalog = readCatalog();
    const model =
      from !== undefined
        ? await copyModel(from, name, catalog, request)
        : await pullModel(parseModelName(name as string, catalog), {
            ...request,
            access: hubAccess(context),
            sleep: (ms) => Bun.sleep(ms),
          });
    progress.finish();
    const bytes = model.files.reduce((sum, file) => sum + file.bytes, 0);
    if (json) print({ ...model, bytes });
    else if (model.unchanged)
      console.log(
        `${model.id} is already there and up to date with ${model.repo}@${model.revision}: ${model.directory}`,
      );
    else console.log(`${model.id}: ${model.files.length} files, ${megabytes(bytes)}, in ${model.directory}`);
    return 0;
  } finally {
    progress.finish();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, interrupt);
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** True if the agent's state directory belongs to this user, or will when it is created. */
function ownsItsState(stateDir: string | null): boolean {
  const uid = process.geteuid?.() ?? 0;
  const directory = stateDir ?? defaultStateDir("agent", process.env);
  return (statSync(directory, { throwIfNoEntry: false })?.uid ?? uid) === uid;
}

async function verify(context: Context): Promise<number> {
  const models = await installed(context);
  const wanted = context.names.map((name) => {
    const id = findInCatalog(readCatalog(), name)?.id ?? name;
    const model = models.find(({ manifest }) => manifest.id.toLowerCase() === id.toLowerCase());
    const here = models.map(({ manifest }) => manifest.id);
    if (model === undefined)
      throw new UsageError(`"${name}" is not installed: expected one of ${here.join(", ")}${suggest(name, here)}`);
    return model;
  });
  const results = [];
  for (const model of wanted.length > 0 ? wanted : models) results.push(await verifyModel(model));
  if (context.json) print({ ok: results.every(({ status }) => status !== "damaged"), models: results });
  else {
    for (const { id, status, origin, files } of results) {
      const found = status === "unknown" ? "it has no manifest to check its files against" : `${files.length} files`;
      console.log(cleanText(`${status === "damaged" ? "DAMAGED" : status.padEnd(7)}  ${id}: ${found} (${origin})`));
      for (const file of files.filter((each) => each.status !== "ok"))
        console.log(
          `         ${file.path} is ${file.status}: expected sha256 ${file.expected}, got ${file.actual ?? "no file"}`,
        );
    }
  }
  return results.some(({ status }) => status === "damaged") ? 1 : 0;
}

async function remove({ names, config, pulled, json }: Context): Promise<number> {
  const [name, ...others] = names;
  if (name === undefined || others.length > 0) throw new UsageError("expected one model");
  const catalog = readCatalog();
  const idOf = (each: string) => findInCatalog(catalog, each)?.id ?? each;
  const { model, pinned } = config.serving;
  const directory = await removeModel(idOf(name), pulled, [model, ...pinned].map(idOf));
  if (json) print({ id: idOf(name), removed: directory });
  else console.log(`removed ${idOf(name)} from ${directory}`);
  return 0;
}

const actions: Readonly<Record<string, (context: Context) => Promise<number>>> = { list, pull, verify, remove };

export const modelsCommand: Command = {
  summary: "list, pull, verify or remove models",
  usage: `list [--json]
       thormesh models pull ID|ORG/NAME[@REVISION]
       thormesh models pull --from DIR [ID]
       thormesh models verify [ID...]
       thormesh models remove ID`,
  examples: ["thormesh models list", "thormesh models pull BAAI/bge-small-en-v1.5"],
  options: {
    config: { short: "c", value: "FILE", help: "the agent's configuration" },
    dir: { value: "DIR", help: "directory of pulled models (default: models in the agent's state directory)" },
    from: { value: "DIR", only: "pull", help: "copy the model from this directory instead of downloading it" },
    url: { value: "URL", only: "pull", help: "mirror of Hugging Face (or THORMESH_MODELS_URL, HF_ENDPOINT)" },
    "token-file": {
      value: "FILE",
      only: "pull",
      help: "file with a token for this server, readable only by its owner",
    },
    "max-bytes": {
      value: "N",
      only: "pull",
      help: "maximum total size of the model's files in bytes (default: 20000000000)",
    },
    precision: { value: "P", help: "which ONNX file: auto, fp32, fp16, int8 or q4" },
    force: { only: "pull", help: "pull again even if it is already there" },
    json: { help: "print JSON" },
  },
  async run(values, positionals) {
    const [action, ...names] = positionals;
    const run = Object.hasOwn(actions, action ?? "") ? actions[action as string] : undefined;
    if (run === undefined) throw unexpectedWord(Object.keys(actions).join(", "), action, Object.keys(actions));
    if (action === "list" && names.length > 0) throw new UsageError(`list takes no names, got "${names[0]}"`);
    const path = optionalString(values, "config");
    const { input, source } = await readInput("agent", path, process.env);
    const config = parseAgentConfig(input, source);
    const given = optionalString(values, "dir");
    if (given !== undefined && action === "verify" && !isDirectory(given))
      throw new UsageError(`--dir: expected a directory of models, got ${given}`);
    const pulled = given ?? pulledModelsDirectory(config.stateDir);
    // Models that others can write to are not loaded. The agent's own state is private; root may pull for an agent that runs as another user.
    process.umask(process.umask() | (given === undefined && ownsItsState(config.stateDir) ? 0o077 : 0o022));
    return run({ values, names, config, pulled, json: values["json"] === true });
  },
};
