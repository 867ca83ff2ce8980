/** NVIDIA's numbering: JetPack's first figure by that of the Linux for Tegra release under it. */
const jetPackByRelease: Readonly<Record<string, string>> = { "32": "4", "34": "5", "35": "5", "36": "6", "38": "7" };

/**
 * The release that /etc/nv_tegra_release names ("# R38 (release), REVISION: 2.0, …"), with the JetPack it belongs to where that is known.
 * Null for a text without one.
 */
export function parseRelease(text: string): string | null {
  const match = /\bR(\d+) \(release\), REVISION: ([\d.]+)/.exec(text);
  if (match === null) return null;
  const [, major = "", revision = ""] = match;
  const jetPack = jetPackByRelease[major];
  return `L4T ${major}.${revision}${jetPack === undefined ? "" : ` (JetPack ${jetPack})`}`;
}
