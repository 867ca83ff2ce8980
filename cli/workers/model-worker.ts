import { Type } from "@sinclair/typebox";
import { ModelFileToCheck } from "#agent/serving/models/files/hash-model-files.ts";
import { ModelManifest } from "#agent/serving/models/model-manifest.ts";
import { WorkerEngine } from "#agent/serving/onnxruntime/engine-options.ts";
import { runModelWorker } from "#agent/serving/worker/run-model-worker.ts";
import { UsageError } from "#platform/errors.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { type Command, optionalNumber, optionalString, requiredOption } from "#platform/terminal/command.ts";

export const modelWorkerCommand: Command = {
  summary: "run one model for the serving process that started this one",
  usage:
    "--socket PATH --model FILE [--sha256 HASH] --dimension N --pooling HOW [--first-position N] --threads N [--engine JSON] [--files JSON] [--hashes JSON] [--prepare] [--keep-memory]",
  hidden: true,
  rights: "worker",
  options: {
    socket: { value: "PATH", help: "Unix socket of the serving process" },
    model: { value: "FILE", help: "ONNX file" },
    sha256: { value: "HASH", help: "expected hash of the file" },
    dimension: { value: "N", help: "length of the vectors" },
    pooling: { value: "HOW", help: "pooling of a model's manifest" },
    "first-position": { value: "N", help: "position of a text's first token; default: 0" },
    files: { value: "JSON", help: "files to hash before they are used" },
    hashes: { value: "JSON", help: "hashes of files already verified" },
    "keep-memory": { help: "keep the memory of a batch for the next one" },
    prepare: { help: "share the model's weights with its other processes" },
    engine: { value: "JSON", help: "settings of ONNX Runtime" },
    threads: { value: "N", help: "number of compute threads" },
  },
  async run(values) {
    const dimension = optionalNumber(values, "dimension", { min: 1, max: 65_536, integer: true });
    const threads = optionalNumber(values, "threads", { min: 1, max: 1024, integer: true });
    if (dimension === undefined || threads === undefined)
      throw new UsageError("--dimension and --threads are required");
    const files = optionalString(values, "files");
    const code = await runModelWorker({
      socketPath: requiredOption(values, "socket"),
      modelPath: requiredOption(values, "model"),
      sha256: optionalString(values, "sha256") ?? null,
      dimension,
      pooling: parseConfig(ModelManifest.properties.pooling, requiredOption(values, "pooling"), "--pooling"),
      firstPosition: optionalNumber(values, "first-position", { min: 0, max: 1_024, integer: true }) ?? 0,
      threads,
      files: files === undefined ? null : parseConfig(Type.Array(ModelFileToCheck), JSON.parse(files), "--files"),
      hashes: parseConfig(
        Type.Record(Type.String(), Type.String()),
        JSON.parse(optionalString(values, "hashes") ?? "{}"),
        "--hashes",
      ),
      prepare: values["prepare"] === true,
      keepMemory: values["keep-memory"] === true,
      engine: parseConfig(WorkerEngine, JSON.parse(optionalString(values, "engine") ?? "{}"), "--engine"),
    });
    // Nothing is left to save, and ONNX Runtime's threads need no orderly shutdown.
    process.exit(code);
  },
};
