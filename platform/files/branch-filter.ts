/** Processors whose calls are known here. */
export type BranchArchitecture = "x64" | "arm64";

/** Opcodes of x86-64 for a call and a jump to an offset of 32 bits. */
const [callOpcode, jumpOpcode] = [0xe8, 0xe9];
const x64Length = 5;
/** An offset is rewritten within 25 bits: those whose highest byte only continues the sign. */
const x64Mask = 0x1ff_ffff;

/**
 * Rewrites the offsets after calls and jumps. Where no offset of 25 bits follows, the four bytes after the opcode are left out, too: so both
 * directions stop at the same places, and at none of them has a byte that decides been rewritten.
 */
function convertX64(bytes: Uint8Array, direction: 1 | -1): void {
  const end = bytes.length - x64Length;
  for (let at = 0; at <= end; at += 1) {
    const opcode = bytes[at];
    if (opcode !== callOpcode && opcode !== jumpOpcode) continue;
    const high = bytes[at + 4] as number;
    if (high === 0x00 || high === 0xff) {
      const low = (bytes[at + 1] as number) | ((bytes[at + 2] as number) << 8) | ((bytes[at + 3] as number) << 16);
      const value = (low | ((high & 1) << 24)) + direction * (at + x64Length);
      const converted = value & x64Mask;
      bytes[at + 1] = converted;
      bytes[at + 2] = converted >>> 8;
      bytes[at + 3] = converted >>> 16;
      bytes[at + 4] = converted >>> 24 === 0 ? 0x00 : 0xff;
    }
    at += x64Length - 1;
  }
}

/** First six bits of the instruction BL, whose other 26 are an offset in words. */
const branchWithLink = 0x25;
const arm64Mask = 0x3ff_ffff;

function convertArm64(bytes: Uint8Array, direction: 1 | -1): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const word = view.getUint32(at, true);
    if (word >>> 26 !== branchWithLink) continue;
    const converted = ((word & arm64Mask) + direction * (at >>> 2)) & arm64Mask;
    view.setUint32(at, ((branchWithLink << 26) | converted) >>> 0, true);
  }
}

const converters = { x64: convertX64, arm64: convertArm64 } as const;

/** Rewrites the offsets of calls as addresses, in place: calls of one function then have the same bytes, and machine code compresses by a tenth more. */
export const addressBranches = (bytes: Uint8Array, architecture: BranchArchitecture): void =>
  converters[architecture](bytes, 1);

/** Undoes {@link addressBranches}, in place. */
export const restoreBranches = (bytes: Uint8Array, architecture: BranchArchitecture): void =>
  converters[architecture](bytes, -1);
