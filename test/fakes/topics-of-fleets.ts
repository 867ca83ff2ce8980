import {
  agentChannels,
  agentProbeTopic,
  agentTopic,
  controllerProbeTopic,
  controllerStateTopic,
} from "#protocol/topics.ts";

/** Lists every topic of some fleets with the same agents. */
export function topicsOfFleets(fleets: readonly string[], agentIds: readonly string[]): readonly string[] {
  return fleets.flatMap((fleet) => [
    ...agentIds.flatMap((id) => [
      ...Object.keys(agentChannels).map((channel) => agentTopic(fleet, id, channel as keyof typeof agentChannels)),
      agentProbeTopic(fleet, id),
    ]),
    controllerStateTopic(fleet),
    controllerProbeTopic(fleet),
  ]);
}
