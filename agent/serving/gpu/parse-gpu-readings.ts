/** Reading of a GPU; null for figures that it does not report (a Jetson's memory is the system's own). */
export interface GpuReading {
  readonly name: string;
  readonly memoryUsedBytes: number | null;
  readonly utilizationPercent: number | null;
}

const mebibyte = 1024 * 1024;

function known(field: string | undefined): number | null {
  const text = field?.trim() ?? "";
  const value = Number(text);
  return text === "" || !Number.isFinite(value) || value < 0 ? null : value;
}

/**
 * Parses the output of `nvidia-smi --query-gpu=name,utilization.gpu,memory.used --format=csv,noheader,nounits`, a line for each GPU. Missing
 * figures are [N/A] or [Not Supported]. Lines of another form (warnings) are ignored.
 */
export function parseGpuReadings(text: string): GpuReading[] {
  return text.split("\n").flatMap((line) => {
    const fields = line.split(",");
    if (fields.length < 3) return [];
    const [utilization, memory] = fields.slice(-2);
    const mebibytes = known(memory);
    const name = fields.slice(0, -2).join(",").trim();
    const memoryUsedBytes = mebibytes === null ? null : mebibytes * mebibyte;
    return [{ name, memoryUsedBytes, utilizationPercent: known(utilization) }];
  });
}
