import type * as tensorflow from "@tensorflow/tfjs-core";
import type { KernelConfig, Tensor, TensorInfo } from "@tensorflow/tfjs-core";

/**
 * Makes the wasm backend transpose an operand of a matrix product before it multiplies. Its fast kernel takes no transposed operands; products
 * with one, which are two of three in training, go to a plain loop. With this, training takes half the time. A second call does nothing.
 */
export function multiplyWithoutTransposes(tf: typeof tensorflow): void {
  const product = tf.getKernel("BatchMatMul", "wasm");
  const transpose = tf.getKernel("Transpose", "wasm");
  if (product === undefined || transpose === undefined || replaced.has(product.kernelFunc)) return;

  const kernelFunc: KernelConfig["kernelFunc"] = ({ inputs, attrs, backend }) => {
    const transposed: TensorInfo[] = [];
    const transposeLast = (operand: Tensor | TensorInfo): TensorInfo => {
      const perm = operand.shape.map((_, axis) => axis);
      const rank = perm.length;
      perm[rank - 1] = rank - 2;
      perm[rank - 2] = rank - 1;
      const result = transpose.kernelFunc({ inputs: { x: operand as Tensor }, attrs: { perm }, backend }) as TensorInfo;
      transposed.push(result);
      return result;
    };
    const { a, b } = inputs as { a: Tensor; b: Tensor };
    const left = attrs?.["transposeA"] === true ? transposeLast(a) : a;
    const right = attrs?.["transposeB"] === true ? transposeLast(b) : b;
    const result = product.kernelFunc({
      inputs: { a: left as Tensor, b: right as Tensor },
      attrs: { transposeA: false, transposeB: false },
      backend,
    });
    for (const { dataId } of transposed) (backend as tensorflow.KernelBackend).disposeData(dataId);
    return result;
  };
  replaced.add(kernelFunc);
  tf.unregisterKernel("BatchMatMul", "wasm");
  tf.registerKernel({ ...product, kernelFunc });
}

const replaced = new WeakSet<KernelConfig["kernelFunc"]>();
