import type { Licence } from "./collect-licences.ts";

/** Licences with each distinct text once: many packages share one. */
interface Packed {
  readonly texts: readonly string[];
  readonly licences: readonly (Omit<Licence, "text"> & { readonly text: number })[];
}

export function packLicences(licences: readonly Licence[]): Uint8Array<ArrayBuffer> {
  const texts = [...new Set(licences.map(({ text }) => text))];
  const packed: Packed = {
    texts,
    licences: licences.map((licence) => ({ ...licence, text: texts.indexOf(licence.text) })),
  };
  return Bun.gzipSync(JSON.stringify(packed), { level: 9 });
}

export function unpackLicences(bytes: Uint8Array<ArrayBuffer>): Licence[] {
  const { texts, licences } = JSON.parse(new TextDecoder().decode(Bun.gunzipSync(bytes))) as Packed;
  return licences.map((licence) => ({ ...licence, text: texts[licence.text] as string }));
}
