/** Time constant, as the meters of utilisation have it: the two must follow changes alike, or their ratio would not hold while they do. */
const tauMs = 2_000;
/** Time in which nothing changes that matters. */
const everyMs = 10;
/** Least share, so that a backend that had no room is seen to have some again. */
const leastRoom = 0.02;

/**
 * Share of the requests for which a backend has room without going over a utilisation. All routers that see it full would leave it together,
 * and come back together; by the share that each gave it lately, the utilisation tells what it would carry if nobody held back.
 */
export class RoomEstimate {
  #room = 1;
  /** Average of the share in the time that the utilisation was measured. */
  #lately = 1;
  #atMs: number;

  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  /** Takes in the utilisation. Returns the share from now on, up to 1. */
  update(utilization: number, spillAt: number, nowMs: number): number {
    if (nowMs - this.#atMs < everyMs) return this.#room;
    const weight = 1 - Math.exp(-Math.max(0, nowMs - this.#atMs) / tauMs);
    this.#lately += weight * (this.#room - this.#lately);
    this.#atMs = nowMs;
    const wanted = utilization / Math.max(leastRoom, this.#lately);
    this.#room = wanted <= spillAt ? 1 : Math.max(leastRoom, spillAt / wanted);
    return this.#room;
  }
}
