/**
 * Handles what agents send: of one agent in its order, of different ones at once. A store at a server commits what waits together, so that a controller
 * that took one after another would spend its time waiting.
 */
export class AgentLanes {
  readonly #max: number;
  readonly #onError: (error: unknown) => void;
  readonly #last = new Map<string, Promise<void>>();
  #underWay = 0;
  #freed = Promise.withResolvers<void>();

  /**
   * @param max messages that are handled at once
   * @param onError called for work that failed
   */
  constructor(max: number, onError: (error: unknown) => void) {
    this.#max = max;
    this.#onError = onError;
  }

  /** Starts work once the agent's earlier work is done. Resolves when there is room for more, which slows down the sender. */
  async run(agentId: string, work: () => Promise<void>): Promise<void> {
    this.#underWay += 1;
    const done = this.#work(this.#last.get(agentId), work).then(() => {
      this.#underWay -= 1;
      if (this.#last.get(agentId) === done) this.#last.delete(agentId);
      this.#freed.resolve();
      this.#freed = Promise.withResolvers();
    });
    this.#last.set(agentId, done);
    while (this.#underWay >= this.#max) await this.#freed.promise;
  }

  async #work(before: Promise<void> | undefined, work: () => Promise<void>): Promise<void> {
    await before;
    try {
      await work();
    } catch (error) {
      this.#onError(error);
    }
  }
}
