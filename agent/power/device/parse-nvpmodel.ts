export interface NvpmodelMode {
  readonly id: number;
  readonly name: string;
  /** The GPU's highest clock in it, Hz; Infinity = not capped; null where the file does not say. */
  readonly gpuMaxHz: number | null;
  /** CPU cores that it leaves on; null where the file does not say. */
  readonly cores: number | null;
}

export interface NvpmodelConf {
  /** In the order of the file. */
  readonly modes: readonly NvpmodelMode[];
  readonly defaultId: number | null;
}

type OpenMode = { -readonly [Key in keyof NvpmodelMode]: NvpmodelMode[Key] };

/** Takes in one line of a mode's block, of which clocks and cores matter here: "GPU MAX_FREQ 1386000000", "CPU_ONLINE CORE_3 1". */
function readCap(mode: OpenMode, line: string): void {
  const [parameter, argument = "", text] = line.trim().split(/\s+/);
  const value = Number(text);
  if (text === undefined || !Number.isFinite(value)) return;
  // -1 means not capped.
  if (parameter === "GPU" && argument === "MAX_FREQ") mode.gpuMaxHz = value < 0 ? Number.POSITIVE_INFINITY : value;
  if (parameter === "CPU_ONLINE" && argument.startsWith("CORE_"))
    mode.cores = (mode.cores ?? 0) + (value === 1 ? 1 : 0);
}

/** Reads the blocks of /etc/nvpmodel.conf that name modes, with the caps by which modes can be compared; all else is of no concern here. */
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

/** The answer of `nvpmodel -q`: a line with the name, then one with the id. Warnings before them are passed over. */
export function parseNvpmodelQuery(output: string): Pick<NvpmodelMode, "id" | "name"> | null {
  const lines = output.split(/\r?\n/).map((line) => line.trim());
  const named = /(?:^|^NVPM VERB: .*)NV Power Mode:(.*)$/;
  const at = lines.findIndex((line) => named.test(line));
  const name = named.exec(lines[at] ?? "")?.[1]?.trim();
  const id = lines.slice(at + 1).find((line) => /^\d+$/.test(line));
  if (at === -1 || name === undefined || name === "" || id === undefined) return null;
  return { id: Number(id), name };
}

/** Whether the output of `nvpmodel -m` says that the mode needs a reboot, which is never confirmed here. */
export function asksForReboot(output: string): boolean {
  return /reboot required|want to reboot/i.test(output);
}

/**
 * Modes with the most capable first: MAXN modes, then by the watts in their names, and of as many watts by the GPU's clock and the cores
 * that are on. Where some name says nothing the GPU's clock alone counts, if the file has it for all. The file's order of ids says nothing
 * (an Orin Nano has 15W, 25W, MAXN_SUPER, 7W).
 */
export function byCapability(modes: readonly NvpmodelMode[]): NvpmodelMode[] {
  const watts = ({ name }: NvpmodelMode) => {
    if (/^MAXN/i.test(name)) return Number.POSITIVE_INFINITY;
    const named = /(\d+(?:\.\d+)?)\s*W/i.exec(name)?.[1];
    return named === undefined ? null : Number(named);
  };
  const byClock = modes.some((mode) => watts(mode) === null) && modes.every(({ gpuMaxHz }) => gpuMaxHz !== null);
  const falling = (a: number | null, b: number | null) => ((a ?? 0) === (b ?? 0) ? 0 : (b ?? 0) > (a ?? 0) ? 1 : -1);
  return [...modes].sort(
    (a, b) =>
      (byClock ? 0 : falling(watts(a), watts(b))) ||
      falling(a.gpuMaxHz, b.gpuMaxHz) ||
      falling(a.cores, b.cores) ||
      a.id - b.id,
  );
}
