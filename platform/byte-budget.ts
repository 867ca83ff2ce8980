/** Bytes that were taken from a budget, to be given back. */
export interface ByteHold {
  /** Takes more; false, and nothing taken, when the budget has no room for them. */
  grow(bytes: number): boolean;
  /** Gives everything back; further calls do nothing. */
  release(): void;
}

/** Memory that many requests share, so that no number of them can take more. */
export interface ByteBudget {
  readonly maxBytes: number;
  /**
   * Takes bytes; null when there is no room for them.
   * @param owner for whom: one owner never has more than half of the budget
   */
  take(bytes: number, owner: string): ByteHold | null;
  usedBytes(): number;
  /** Times that there was no room. */
  refusals(): number;
}

const ownerShare = 0.5;

export function createByteBudget(maxBytes: number): ByteBudget {
  const usedByOwner = new Map<string, number>();
  let used = 0;
  let refusals = 0;

  const add = (bytes: number, owner: string): boolean => {
    const owned = (usedByOwner.get(owner) ?? 0) + bytes;
    if (used + bytes > maxBytes || owned > maxBytes * ownerShare) {
      refusals += 1;
      return false;
    }
    used += bytes;
    usedByOwner.set(owner, owned);
    return true;
  };

  return {
    maxBytes,
    take(bytes, owner) {
      if (!add(bytes, owner)) return null;
      let held = bytes;
      return {
        grow(more) {
          if (!add(more, owner)) return false;
          held += more;
          return true;
        },
        release() {
          used -= held;
          const left = (usedByOwner.get(owner) ?? 0) - held;
          if (left > 0) usedByOwner.set(owner, left);
          else usedByOwner.delete(owner);
          held = 0;
        },
      };
    },
    usedBytes: () => used,
    refusals: () => refusals,
  };
}
