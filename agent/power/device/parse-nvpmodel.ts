export interface NvpmodelMode {
  readonly id: number;
  readonly name: string;
  /** Maximum GPU clock, Hz; Infinity when not capped; null where the file lacks it. */
  readonly gpuMaxHz: number | null;
  /** CPU cores left on; null where the file lacks it. */
  readonly cores: number | null;
}

export interface NvpmodelConf {
  /** In the order of the file. */
  readonly modes: readonly NvpmodelMode[];
  readonly defaultId: number | null;
}

type OpenMode = { -readonly [Key in keyof NvpmodelMode]: NvpmodelMode[Key] };

/** Reads clock and cores from one line of a mode's block: "GPU MAX_FREQ 1386000000", "CPU_ONLINE CORE_3 1". */
function readCap(mode: OpenMode, line: string): void {
  const [parameter, argument = "", text] = line.trim().split(/\s+/);
  const value = Number(text);
  if (text === undefined || !Number.isFinite(value)) return;
  // -1 means not capped.
  if (parameter === "GPU" && argument === "MAX_FREQ") mode.gpuMaxHz = value < 0 ? Number.POSITIVE_INFINITY : value;
  if (parameter === "CPU_ONLINE" && argument.startsWith("CORE_"))
    mode.cores = (mode.cores ?? 0) + (value === 1 ? 1 : 0);
}

/** Reads the modes of /etc/nvpmodel.conf, with the caps by which they can be compared. */
export function parseNvpmodelConf(text: string): NvpmodelConf {
  const modes: OpenMode[] = [];
  let open: OpenMode | null = null;
  let defaultId: number | null = null;
  for (const line of text.split(/\r?\n/)) {
    const block = /^\s*<\s*([A-Z_]+)\s+(.*?)\s*>\s*(?:#.*)?$/.exec(line);
    if (block === null) {
      if (open !== null) readCap(open, line);
      continue;
    }
    open = null;
    const [, kind, attributes = ""] = block;
    const value = (name: string) => new RegExp(`(?:^|\\s)${name}\\s*=\\s*(\\S+)`).exec(attributes)?.[1];
    if (kind === "POWER_MODEL") {
      const id = Number(value("ID"));
      const name = value("NAME");
      if (Number.isInteger(id) && id >= 0 && name !== undefined && !modes.some((mode) => mode.id === id)) {
        open = { id, name, gpuMaxHz: null, cores: null };
        modes.push(open);
      }
    } else if (kind === "PM_CONFIG") {
      const id = Number(value("DEFAULT"));
      if (Number.isInteger(id) && id >= 0) defaultId = id;
    }
  }
  return { modes, defaultId };
}

/** Parses the answer of `nvpmodel -q`: a line with the name, then one with the id. Warnings before them are skipped. */
export function parseNvpmodelQuery(output: string): Pick<NvpmodelMode, "id" | "name"> | null {
  const lines = output.split(/\r?\n/).map((line) => line.trim());
  const named = /(?:^|^NVPM VERB: .*)NV Power Mode:(.*)$/;
  const at = lines.findIndex((line) => named.test(line));
  const name = named.exec(lines[at] ?? "")?.[1]?.trim();
  const id = lines.slice(at + 1).find((line) => /^\d+$/.test(line));
  if (at === -1 || name === undefined || name === "" || id === undefined) return null;
  return { id: Number(id), name };
}

/** Returns true when the output of `nvpmodel -m` asks for a reboot, which is never confirmed. */
export function asksForReboot(output: string): boolean {
  return /reboot required|want to reboot/i.test(output);
}

/** Watts in a mode's name: "15W", "MODE_30W_6CORE", "MODE_28_1_W" (28.1); Infinity for MAXN; null where it has none. */
export function wattsOf({ name }: Pick<NvpmodelMode, "name">): number | null {
  if (/^MAXN/i.test(name)) return Number.POSITIVE_INFINITY;
  const [, whole, tenths] =
    /(\d+)_(\d+)_W(?![A-Z])/i.exec(name) ?? /(\d+)(?:\.(\d+))?[\s_]?W(?![A-Z])/i.exec(name) ?? [];
  return whole === undefined ? null : Number(`${whole}.${tenths ?? 0}`);
}

/**
 * Sorts modes, the most capable first: MAXN modes, then by the watts in their names; equal ones by GPU clock and cores. A mode whose name has no
 * watts stands before the first one with a lower GPU clock, else at the end; the others keep their order. The ids are in no such order (an
 * Orin Nano has 15W, 25W, MAXN_SUPER, 7W), and neither are the clocks (a 25W mode may cap the GPU below a 15W mode).
 */
export function byCapability(modes: readonly NvpmodelMode[]): NvpmodelMode[] {
  const falling = (a: number | null, b: number | null) => ((a ?? 0) === (b ?? 0) ? 0 : (b ?? 0) > (a ?? 0) ? 1 : -1);
  const sorted = modes.toSorted(
    (a, b) =>
      falling(wattsOf(a), wattsOf(b)) || falling(a.gpuMaxHz, b.gpuMaxHz) || falling(a.cores, b.cores) || a.id - b.id,
  );
  const order = sorted.filter((mode) => wattsOf(mode) !== null);
  for (const mode of sorted.filter((each) => wattsOf(each) === null)) {
    const place = order.findIndex(({ gpuMaxHz }) => gpuMaxHz !== null && gpuMaxHz < (mode.gpuMaxHz ?? 0));
    order.splice(place === -1 ? order.length : place, 0, mode);
  }
  return order;
}
