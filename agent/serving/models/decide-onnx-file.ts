import type { OnnxFile, Precision } from "./model-manifest.ts";

/** What is wanted of an ONNX file, and where it will run. */
export interface OnnxChoice {
  /** `auto`: what fits the machine best. */
  readonly precision: Precision | "auto";
  /** `x64`, `arm64`, … as Node names them. */
  readonly architecture: string;
  /** Whether a GPU computes. */
  readonly gpu: boolean;
}

export type OnnxFileDecision =
  | { readonly kind: "take"; readonly path: string; readonly precision: Precision; readonly reason: string }
  | { readonly kind: "none"; readonly reason: string };

/**
 * What an ONNX file is by its name, as the exporters of Hugging Face name them: model_fp16, model_quantized, model_int8,
 * model_qint8_arm64, model_quint8_avx2, model_qint8_avx512_vnni, model_q4, model_bnb4, and model_O1 to model_O4 by the degree of
 * optimisation, of which the last is in half precision.
 */
export function describeOnnxName(path: string): Required<OnnxFile> {
  const name = (path.split("/").at(-1) ?? path).replace(/\.onnx$/i, "").toLowerCase();
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

/** On a processor full precision first: it gives the model's own vectors, and 8 bits are not faster everywhere. */
const processorOrder: readonly Precision[] = ["fp32", "int8", "fp16", "q4"];
/** A GPU computes in half precision at twice the speed, with vectors that hardly differ. */
const gpuOrder: readonly Precision[] = ["fp16", "fp32", "int8", "q4"];

/** Lower is better: the plain name first, then what is made for this processor, then the rest as they are named. */
function rank({ path, precision, architecture }: Required<OnnxFile>): string {
  const plain = /(^|\/)model(_fp16|_quantized)?\.onnx$/i.test(path);
  // Of 8-bit files the one for this processor is the faster one; instruction sets that are older run everywhere.
  const own = precision === "int8" && architecture !== "any";
  const preferred = own ? 0 : plain ? 1 : 2;
  const instructions = /avx512_vnni/i.test(path) ? 2 : /avx512/i.test(path) ? 1 : 0;
  return `${preferred}${instructions}${path}`;
}

/** Which of a model's ONNX files is loaded. A file made for other processors is never taken. */
export function decideOnnxFile(files: readonly OnnxFile[], choice: OnnxChoice): OnnxFileDecision {
  const all = files.map((file) => ({ ...describeOnnxName(file.path), ...file }));
  const usable = all.filter(({ architecture }) => architecture === "any" || architecture === choice.architecture);
  const order = choice.precision !== "auto" ? [choice.precision] : choice.gpu ? gpuOrder : processorOrder;
  for (const precision of order) {
    const [best] = usable.filter((file) => file.precision === precision).sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
    if (best === undefined) continue;
    const why =
      choice.precision !== "auto"
        ? "as configured"
        : all.length === 1
          ? "the only file"
          : choice.gpu
            ? "best for a GPU of those there are"
            : "the most exact of those there are";
    return { kind: "take", path: best.path, precision, reason: `${best.path} (${precision}): ${why}` };
  }
  const there = all.map(({ path, precision, architecture }) => `${path} (${precision}, ${architecture})`).join(", ");
  return {
    kind: "none",
    reason: `expected an ONNX file of precision ${choice.precision} for ${choice.architecture}, got ${there || "none"}`,
  };
}
