const sigmoid = (value: number) => 1 / (1 + Math.exp(-value));

/**
 * Computes the recurrent part of an LSTM layer over a whole sequence, with tanh and sigmoid; gates are in TensorFlow.js's order: input,
 * forget, candidate, output.
 * @param projected inputs × kernel + bias of every step, `steps` × 4 `units`, row by row.
 * @param recurrentKernel `units` × 4 `units`, row by row.
 * @returns the output of every step, `steps` × `units`.
 */
export function runRecurrence(projected: Float32Array, recurrentKernel: Float32Array, units: number): Float32Array {
  const width = 4 * units;
  const steps = projected.length / width;
  const outputs = new Float32Array(steps * units);
  const cell = new Float32Array(units);
  const gates = new Float32Array(width);
  for (let step = 0; step < steps; step += 1) {
    gates.set(projected.subarray(step * width, (step + 1) * width));
    const before = (step - 1) * units;
    for (let unit = 0; step > 0 && unit < units; unit += 1) {
      const hidden = outputs[before + unit] as number;
      const row = unit * width;
      for (let gate = 0; gate < width; gate += 1) {
        gates[gate] = (gates[gate] as number) + hidden * (recurrentKernel[row + gate] as number);
      }
    }
    for (let unit = 0; unit < units; unit += 1) {
      const input = sigmoid(gates[unit] as number);
      const forget = sigmoid(gates[units + unit] as number);
      const candidate = Math.tanh(gates[2 * units + unit] as number);
      const output = sigmoid(gates[3 * units + unit] as number);
      const next = forget * (cell[unit] as number) + input * candidate;
      cell[unit] = next;
      outputs[step * units + unit] = output * Math.tanh(next);
    }
  }
  return outputs;
}
