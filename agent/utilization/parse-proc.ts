/** Time of the device's cores since its start, in clock ticks. */
export interface CpuTicks {
  readonly busy: number;
  readonly total: number;
}

const finite = (values: readonly number[]) => values.every((value) => Number.isFinite(value) && value >= 0);

/** Parses the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal; null for another text. */
export function parseCpuTicks(text: string): CpuTicks | null {
  const fields = /^cpu +([\d ]+)$/m.exec(text)?.[1]?.trim().split(/ +/).map(Number);
  if (fields === undefined || fields.length < 4 || !finite(fields)) return null;
  // Guests' time is in the user time already.
  const counted = fields.slice(0, 8);
  const total = counted.reduce((sum, ticks) => sum + ticks, 0);
  const [, , , idle = 0, waiting = 0] = counted;
  return { busy: total - idle - waiting, total };
}

/** Parses /proc/meminfo; null for another text. */
export function parseMemory(text: string): { readonly totalBytes: number; readonly availableBytes: number } | null {
  const bytes = (name: string) => {
    const kilobytes = new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(text)?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  };
  const totalBytes = bytes("MemTotal");
  const availableBytes = bytes("MemAvailable");
  return totalBytes === null || totalBytes === 0 || availableBytes === null ? null : { totalBytes, availableBytes };
}

/** Parses /proc/PID/stat: ticks in user and system mode, and resident pages. The name before them may hold spaces and brackets. */
export function parseProcess(text: string): { readonly ticks: number; readonly pages: number } | null {
  const fields = text
    .slice(text.lastIndexOf(")") + 1)
    .trim()
    .split(" ");
  const [user, system, pages] = [fields[11], fields[12], fields[21]].map(Number);
  if (user === undefined || system === undefined || pages === undefined || !finite([user, system, pages])) return null;
  return { ticks: user + system, pages };
}
