/**
 * How many tokens are kept of each of two texts that are read together, by the rule of Hugging Face's tokenizers ("longest first"): the
 * longer one is cut to what the shorter leaves; where the shorter alone takes more than half, both are cut to halves, of which the
 * longer text gets the larger.
 * @param room tokens for both together
 */
export function decidePairLengths(first: number, second: number, room: number): { first: number; second: number } {
  if (first + second <= room) return { first, second };
  const shorter = Math.min(first, second, Math.floor(room / 2));
  const longer = room - shorter;
  return first <= second ? { first: shorter, second: longer } : { first: longer, second: shorter };
}
