/** Bytes reserved from a budget. */
export interface ByteReservation {
  /** Reserves more; returns false, and reserves nothing, when the budget is exhausted. */
  grow(bytes: number): boolean;
  /** Returns all bytes to the budget; further calls do nothing. */
  release(): void;
}

const ownerShare = 0.5;

/** Creates a limit of the memory that all requests of a kind use together. */
export function createByteBudget(maxBytes: number) {
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
    /**
     * Reserves bytes; null when the budget is exhausted.
     * @param owner tenant, or "" for requests without one; an owner never has more than half of the budget
     */
    reserve(bytes: number, owner: string): ByteReservation | null {
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
    /** Number of reservations that were refused. */
    refusals: () => refusals,
  };
}
