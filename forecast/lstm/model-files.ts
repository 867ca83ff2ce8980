import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { anchorMinutes, featureNames, inputMinutes, outputMinutes } from "#forecast/data/window-features.ts";
import { explainMistakes } from "#platform/explain-schema-error.ts";
import { checkTrustedPath } from "#platform/files/check-trusted-path.ts";
import { readRegularFile } from "#platform/files/read-regular-file.ts";
import { tf } from "./tensorflow.ts";

/** Conversion between rates and the network's numbers; kept beside the weights and bound to them by a checksum. */
const Scaling = Type.Object(
  {
    format: Type.Literal("thormesh-traffic-lstm"),
    version: Type.Literal(1),
    inputMinutes: Type.Literal(inputMinutes),
    outputMinutes: Type.Literal(outputMinutes),
    features: Type.Tuple([
      Type.Literal("qps"),
      Type.Literal("hour"),
      Type.Literal("dayOfWeek"),
      Type.Literal("weekend"),
      Type.Literal("holiday"),
    ]),
    /** A rate r becomes ln(1 + r / level) - ln 2, the level being the mean of the input's minutes … */
    rate: Type.Literal("log1p of rate / window mean, less ln 2"),
    /** … and an output y means anchor + y * level, the anchor being the mean of this many newest minutes. */
    anchorMinutes: Type.Literal(anchorMinutes),
    /** Lower case hex, of weights.bin. */
    weightsSha256: Type.String({ pattern: "^[0-9a-f]{64}$" }),
  },
  { additionalProperties: false },
);
type Scaling = Static<typeof Scaling>;

export const modelFileNames = ["model.json", "weights.bin", "scaling.json"] as const;
/** Paths of a model's files. */
export type ModelFiles = Readonly<Record<(typeof modelFileNames)[number], string>>;

/** Returns the paths of a model's files in a directory, whether they exist or not. */
export function modelFilesIn(directory: string): ModelFiles {
  return {
    "model.json": join(directory, "model.json"),
    "weights.bin": join(directory, "weights.bin"),
    "scaling.json": join(directory, "scaling.json"),
  };
}

function sha256(bytes: ArrayBuffer | Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}

/** Converts a model to files: the TensorFlow.js layers format, and the scaling that belongs to it. */
export async function serializeModel(model: tf.LayersModel): Promise<Record<keyof ModelFiles, Uint8Array | string>> {
  let artifacts: tf.io.ModelArtifacts | undefined;
  await model.save({
    async save(saved) {
      artifacts = saved;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
    },
  });
  if (artifacts?.weightData === undefined) throw new Error("TensorFlow.js saved no weights. This is a bug.");
  const { weightData } = artifacts;
  const weights = Array.isArray(weightData) ? Buffer.concat(weightData.map((part) => Buffer.from(part))) : weightData;
  const modelJson = {
    format: "layers-model",
    generatedBy: artifacts.generatedBy,
    modelTopology: artifacts.modelTopology,
    weightsManifest: [{ paths: ["weights.bin"], weights: artifacts.weightSpecs }],
  };
  const scaling: Scaling = {
    format: "thormesh-traffic-lstm",
    version: 1,
    inputMinutes,
    outputMinutes,
    features: [...featureNames],
    rate: "log1p of rate / window mean, less ln 2",
    anchorMinutes,
    weightsSha256: sha256(weights),
  };
  return {
    "model.json": JSON.stringify(modelJson),
    "weights.bin": new Uint8Array(weights),
    "scaling.json": `${JSON.stringify(scaling, null, 2)}\n`,
  };
}

/**
 * Writes files into a directory so that a reader sees each either old or new: into a staging directory, then renamed in the order given.
 * Other files in the directory stay.
 */
export async function writeFilesAtomically(
  directory: string,
  files: Readonly<Record<string, Uint8Array | string>>,
): Promise<void> {
  const stagingDirectory = join(directory, `.new-${process.pid}`);
  await mkdir(stagingDirectory, { recursive: true });
  try {
    for (const [name, content] of Object.entries(files)) await writeFile(join(stagingDirectory, name), content);
    for (const name of Object.keys(files)) await rename(join(stagingDirectory, name), join(directory, name));
  } finally {
    await rm(stagingDirectory, { recursive: true, force: true });
  }
}

/**
 * Loads a trained model. The caller disposes of it; the backend must have been started.
 * @throws Error that names what is missing, damaged or of another kind.
 */
export async function loadModel(files: ModelFiles): Promise<tf.LayersModel> {
  const read = async (name: keyof ModelFiles) => {
    try {
      return (await readRegularFile(files[name])).buffer;
    } catch (cause) {
      throw new Error(`${name} can't be read`, { cause });
    }
  };
  const parse = (name: keyof ModelFiles, bytes: ArrayBuffer): unknown => {
    try {
      return JSON.parse(new TextDecoder().decode(bytes));
    } catch (cause) {
      throw new Error(`${name} is not JSON`, { cause });
    }
  };
  const scaling = parse("scaling.json", await read("scaling.json"));
  const mismatches = explainMistakes(Scaling, scaling);
  if (mismatches.length > 0) throw new Error(`scaling.json is for another model: ${mismatches.join("; ")}`);
  const weightData = await read("weights.bin");
  if (sha256(weightData) !== (scaling as Scaling).weightsSha256) {
    throw new Error("weights.bin does not match the checksum in scaling.json");
  }
  const { modelTopology, weightsManifest } = parse("model.json", await read("model.json")) as {
    modelTopology?: object;
    weightsManifest?: { weights: tf.io.WeightsManifestEntry[] }[];
  };
  const weightSpecs = weightsManifest?.[0]?.weights;
  if (modelTopology === undefined || weightSpecs === undefined)
    throw new Error("model.json is not a TensorFlow.js model");
  const model = await tf.loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }));
  const shapeOf = (tensors: readonly tf.SymbolicTensor[]) =>
    tensors.map((tensor) => tensor.shape.slice(1).join("x")).join(" and ");
  const actual = `${shapeOf(model.inputs)} to ${shapeOf(model.outputs)}`;
  const wanted = `${inputMinutes}x${featureNames.length} to ${outputMinutes}`;
  if (actual !== wanted) throw new Error(`the model maps ${actual}, expected ${wanted}`);
  return model;
}

/**
 * Loads a trained model from a directory.
 * @throws Error as {@link loadModel}, and when other users could have written its files.
 */
export async function loadModelFrom(directory: string): Promise<tf.LayersModel> {
  const files = modelFilesIn(directory);
  for (const name of modelFileNames) checkTrustedPath(files[name], name);
  return await loadModel(files);
}
