export interface NvpmodelMode {
  readonly id: number;
  readonly name: string;
}

export interface NvpmodelConf {
  /** In the order of the file. */
  readonly modes: readonly NvpmodelMode[];
  readonly defaultId: number | null;
}

/** Reads the blocks of /etc/nvpmodel.conf that name modes; everything else in it is of no concern here. */
export function parseNvpmodelConf(text: string): NvpmodelConf {
  const modes: NvpmodelMode[] = [];
  let defaultId: number | null = null;
  for (const line of text.split(/\r?\n/)) {
    const block = /^\s*<\s*([A-Z_]+)\s+(.*?)\s*>\s*(?:#.*)?$/.exec(line);
    if (block === null) continue;
    const [, kind, attributes = ""] = block;
    const value = (name: string) => new RegExp(`(?:^|\\s)${name}\\s*=\\s*(\\S+)`).exec(attributes)?.[1];
    if (kind === "POWER_MODEL") {
      const id = Number(value("ID"));
      const name = value("NAME");
      if (Number.isInteger(id) && id >= 0 && name !== undefined && !modes.some((mode) => mode.id === id)) {
        modes.push({ id, name });
      }
    } else if (kind === "PM_CONFIG") {
      const id = Number(value("DEFAULT"));
      if (Number.isInteger(id) && id >= 0) defaultId = id;
    }
  }
  return { modes, defaultId };
}

/** The answer of `nvpmodel -q`: a line with the name, then one with the id. Warnings before them are passed over. */
export function parseNvpmodelQuery(output: string): NvpmodelMode | null {
  const lines = output.split(/\r?\n/).map((line) => line.trim());
  const at = lines.findIndex((line) => line.startsWith("NV Power Mode:"));
  const name = lines[at]?.slice("NV Power Mode:".length).trim();
  const id = lines.slice(at + 1).find((line) => /^\d+$/.test(line));
  if (at === -1 || name === undefined || name === "" || id === undefined) return null;
  return { id: Number(id), name };
}

/** Whether the output of `nvpmodel -m` says that the mode needs a reboot, which is never confirmed here. */
export function asksForReboot(output: string): boolean {
  return /reboot required|want to reboot/i.test(output);
}

/**
 * Modes with the most capable first, going by their names: MAXN modes, then by watts. The file's order of ids says nothing
 * (an Orin Nano has 15W, 25W, MAXN_SUPER, 7W).
 */
export function byCapability(modes: readonly NvpmodelMode[]): NvpmodelMode[] {
  const rank = ({ name }: NvpmodelMode) => {
    if (/^MAXN/i.test(name)) return Number.POSITIVE_INFINITY;
    return Number(/(\d+(?:\.\d+)?)\s*W/i.exec(name)?.[1] ?? 0);
  };
  return [...modes].sort((a, b) => (rank(a) === rank(b) ? a.id - b.id : rank(b) - rank(a)));
}
