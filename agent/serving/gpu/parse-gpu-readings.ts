/** What a GPU says of itself; null where it does not know (a Jetson's memory is the system's own). */
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
 * Reads what `nvidia-smi --query-gpu=name,utilization.gpu,memory.used --format=csv,noheader,nounits` prints, a line a GPU. What a GPU
 * can't tell stands there as [N/A] or [Not Supported]. Lines of another form (warnings) are passed over.
 */
export function parseGpuReadings(text: string): GpuReading[] {
  return text.split("\n").flatMap((line) => {
    const fields = line.split(",");
    if (fields.length < 3) return [];
    const [utilization, memory] = fields.slice(-2);
    const mebibytes = known(memory);
    const name = fields.slice(0, -2).join(",").trim();
    return [
      {
        name,
        memoryUsedBytes: mebibytes === null ? null : mebibytes * mebibyte,
        utilizationPercent: known(utilization),
      },
    ];
  });
}
