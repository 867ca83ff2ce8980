import { type Circuit, closedCircuit, warmingCircuit } from "./decide-circuit.ts";
import { LatencyEstimate } from "./latency-estimate.ts";
import type { LoadReport } from "./load-report.ts";
import { RateMeter } from "./rate-meter.ts";
import type { Remote } from "./remote.ts";
import { RoomEstimate } from "./room-estimate.ts";

/** Record of a backend with one model. */
export interface ModelState {
  circuit: Circuit;
  readonly latency: LatencyEstimate;
  inFlight: number;
}

/** Record of a backend. */
export interface BackendState {
  readonly models: Map<string, ModelState>;
  readonly sent: RateMeter;
  /** Time that the way there and back takes. */
  hopMs: number;
  /** True once the time of the way was measured; before it is a guess. */
  hopKnown: boolean;
  bootId: string;
  load: { readonly report: LoadReport; readonly atMs: number } | null;
  readonly room: RoomEstimate;
}

/** Records that an attempt changes. */
interface Held {
  readonly state: BackendState;
  readonly model: string;
  readonly known: ModelState;
}

/** Time that a hop to a peer takes besides its work, until it has been measured. */
const usualHopMs = 2;
/** State of backends that are gone is dropped beyond this number. */
const maxStates = 2_000;

/** Records of the backends outside this agent, by id. */
export class BackendStates {
  readonly #nowMs: () => number;
  readonly #states = new Map<string, BackendState>();
  readonly #held = new WeakMap<Remote, Held>();

  /** @param nowMs monotonic clock */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** All records, oldest first. */
  all(): ReadonlyMap<string, BackendState> {
    return this.#states;
  }

  /** Record of a remote and its model. Each list of remotes has remotes of its own, so it is looked up once for each. */
  heldOf(remote: Remote, model: string): Held {
    let held = this.#held.get(remote);
    if (held?.model !== model) {
      const state = this.stateOf(remote);
      held = { state, model, known: this.#modelOf(state, model) };
      this.#held.set(remote, held);
    }
    return held;
  }

  /** Record of a remote, which a new boot of it begins anew. */
  stateOf(remote: Remote): BackendState {
    const bootId = remote.kind === "peer" ? remote.peer.bootId : "";
    let state = this.#states.get(remote.id);
    if (state === undefined) {
      state = {
        models: new Map(),
        sent: new RateMeter(this.#nowMs),
        hopMs: usualHopMs,
        hopKnown: false,
        bootId,
        load: null,
        room: new RoomEstimate(this.#nowMs()),
      };
      this.#states.set(remote.id, state);
      const [oldest] = this.#states.keys();
      if (this.#states.size > maxStates && oldest !== undefined) this.#states.delete(oldest);
    }
    // A new boot of a peer has a clean record, and is warming up.
    if (state.bootId !== bootId) {
      state.bootId = bootId;
      for (const known of state.models.values()) known.circuit = warmingCircuit(this.#nowMs());
    }
    return state;
  }

  #modelOf(state: BackendState, model: string): ModelState {
    let known = state.models.get(model);
    if (known === undefined) {
      known = { circuit: closedCircuit, latency: new LatencyEstimate(), inFlight: 0 };
      state.models.set(model, known);
    }
    return known;
  }
}
