import type { OnnxFile, Precision } from "./model-manifest.ts";

/** Wanted precision of an ONNX file, and the machine that computes it. */
export interface OnnxChoice {
  /** `auto`: the best one for the machine. */
  readonly precision: Precision | "auto";
  /** `x64`, `arm64`, … as Node names them. */
  readonly architecture: string;
  readonly gpu: boolean;
}

export type OnnxFileDecision =
  | {
      readonly kind: "take";
      readonly rule: "configured" | "only-file" | "best-for-gpu" | "most-exact";
      readonly path: string;
      readonly precision: Precision;
    }
  | {
      readonly kind: "none";
      readonly rule: "no-such-file";
      readonly choice: OnnxChoice;
      readonly present: readonly Required<OnnxFile>[];
    };

/**
 * Reads the precision and the processors from an ONNX file's name, as the exporters of Hugging Face name them: model_fp16, model_quantized,
 * model_int8, model_qint8_arm64, model_quint8_avx2, model_qint8_avx512_vnni, model_q4, model_bnb4, and model_O1 to model_O4 by the degree of
 * optimisation, of which O4 is in half precision.
 */
export function parseOnnxName(path: string): Required<OnnxFile> {
  const name = path
    .slice(path.lastIndexOf("/") + 1)
    .replace(/\.onnx$/i, "")
    .toLowerCase();
  const precision: Precision = /(^|[_.-])(q4|q4f16|bnb4|int4|uint4)([_.-]|$)/.test(name)
    ? "q4"
    : /(^|[_.-])(q?u?int8|quantized|quantised|q8)([_.-]|$)/.test(name)
      ? "int8"
      : /(^|[_.-])(fp16|float16|o4)([_.-]|$)/.test(name)
        ? "fp16"
        : "fp32";
  const architecture = /arm64|aarch64/.test(name) ? "arm64" : /avx|x64|x86|vnni/.test(name) ? "x64" : "any";
  return { path, precision, architecture };
}

/** Full precision first: it gives the model's own vectors, and 8 bits are not faster on every processor. */
const processorOrder: readonly Precision[] = ["fp32", "int8", "fp16", "q4"];
/** A GPU computes in half precision at twice the speed, with vectors that hardly differ. */
const gpuOrder: readonly Precision[] = ["fp16", "fp32", "int8", "q4"];

/** Returns a key to sort by: files for this processor first, then the plain name, then the rest by name. */
function rank({ path, precision, architecture }: Required<OnnxFile>): string {
  const plain = /(^|\/)model(_fp16|_quantized)?\.onnx$/i.test(path);
  // An 8-bit file for this processor is faster than others; older instruction sets run everywhere.
  const own = precision === "int8" && architecture !== "any";
  const preferred = own ? 0 : plain ? 1 : 2;
  const instructions = /avx512_vnni/i.test(path) ? 2 : /avx512/i.test(path) ? 1 : 0;
  return `${preferred}${instructions}${path}`;
}

/** Chooses the ONNX file of a model to load. A file made for other processors is never taken. */
export function decideOnnxFile(files: readonly OnnxFile[], choice: OnnxChoice): OnnxFileDecision {
  const present = files.map((file) => ({ ...parseOnnxName(file.path), ...file }));
  const usable = present.filter(({ architecture }) => architecture === "any" || architecture === choice.architecture);
  const isAuto = choice.precision === "auto";
  const order = choice.precision !== "auto" ? [choice.precision] : choice.gpu ? gpuOrder : processorOrder;
  for (const precision of order) {
    const candidates = usable.filter((file) => file.precision === precision);
    if (candidates.length === 0) continue;
    const best = candidates.reduce((first, file) => (rank(file) < rank(first) ? file : first));
    const byMachine = choice.gpu ? "best-for-gpu" : "most-exact";
    const rule = !isAuto ? "configured" : present.length === 1 ? "only-file" : byMachine;
    return { kind: "take", rule, path: best.path, precision };
  }
  return { kind: "none", rule: "no-such-file", choice, present };
}
