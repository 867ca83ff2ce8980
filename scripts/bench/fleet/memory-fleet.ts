import { FleetHistory } from "#controller/dashboard/fleet-history.ts";
import type { FleetStreams } from "#controller/dashboard/fleet-streams.ts";
import { observeBirth, observeMinute, observePresence, unknownAgent } from "#controller/fleet/agent-state.ts";
import { observeBeat } from "#controller/fleet/beats.ts";
import { minuteMs, secondMs } from "#platform/time.ts";
import { watchedFleet } from "../../../test/fakes/watched-fleet.ts";
import {
  type Speaker,
  simulatedBeat,
  simulatedBirth,
  simulatedMinute,
  simulatedPresence,
} from "./simulated-messages.ts";

const beatEachS = 10;
/** Seconds after a minute in which agents send it. */
const minutesWithinS = 6;
const historyMinutes = 180;

/** A fleet in memory whose agents send a beat every ten seconds and a record each minute, spread as those of a real one. */
export function createMemoryFleet(agents: number) {
  const { fleet, watch, documents, overrides, at } = watchedFleet();
  const startMs = Date.now();
  at.nowMs = startMs;
  const speakers = Array.from({ length: agents }, (_, index): Speaker => {
    const agentId = `thor-${String(index).padStart(5, "0")}`;
    return { agentId, bootId: "boot", region: `region-${index % 20}`, role: "active" };
  });
  const seqs = new Map<string, number>();
  const qpsOf = () => 80 + 40 * Math.random();
  const endMinute = (speaker: Speaker, nowMs: number) => {
    const seq = (seqs.get(speaker.agentId) ?? 0) + 1;
    seqs.set(speaker.agentId, seq);
    const state = fleet.get(speaker.agentId) ?? unknownAgent(speaker.agentId, nowMs);
    const minute = { seq, startMs: nowMs - minuteMs, qps: qpsOf(), observedMs: minuteMs };
    fleet.put(observeMinute(state, simulatedMinute(speaker, nowMs, minute), nowMs).state);
  };
  for (const speaker of speakers) {
    const known = unknownAgent(speaker.agentId, startMs);
    const present = observePresence(known, simulatedPresence(speaker, startMs, "online"), startMs) ?? known;
    fleet.put(observeBirth(present, simulatedBirth(speaker, startMs), startMs));
    for (let ago = 5; ago > 0; ago -= 1) endMinute(speaker, startMs - ago * minuteMs);
  }
  const fleetHistory = new FleetHistory();
  watch.look();
  for (let ago = historyMinutes; ago > 0; ago -= 1) {
    fleetHistory.take(watch.figures, startMs - ago * minuteMs);
    fleet.traffic.add(startMs - ago * minuteMs, 6_000 * agents);
  }
  let second = 0;
  const live = () => {
    const nowMs = Date.now();
    at.nowMs = nowMs;
    second += 1;
    for (const [index, speaker] of speakers.entries()) {
      const state = fleet.get(speaker.agentId);
      if (state !== undefined && index % beatEachS === second % beatEachS) {
        const beaten = observeBeat(state, simulatedBeat(speaker, nowMs, qpsOf()), nowMs);
        if (beaten !== null) fleet.put(beaten);
      }
      if (second % 60 === index % minutesWithinS) endMinute(speaker, nowMs);
    }
  };
  const timer = setInterval(live, secondMs);
  return {
    ...{ fleet, watch, fleetHistory, nowMs: () => at.nowMs, desired: { documents, overrides } },
    stop: (streams: FleetStreams) => {
      clearInterval(timer);
      streams.stop();
    },
  };
}
