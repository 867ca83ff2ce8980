import { expect, test } from "bun:test";
import type { CapacityProvider } from "#controller/scaling/actuators/capacity-provider.ts";

export interface ProviderUnderTest {
  readonly provider: CapacityProvider;
  /** Switches that the machine of "a" has really seen, e.g. ["on", "off"]. */
  readonly switched: () => Promise<readonly string[]>;
}

const act = (want: "on" | "off", id: string = want) => ({ id, agentId: "a", want, reason: "test" });

/** Tests that every provider passes. */
export function testsOfProviders(create: () => Promise<ProviderUnderTest>): void {
  test("names its agents", async () => {
    const { provider } = await create();
    expect(provider.agentIds).toContain("a");
    await provider.stop();
  });

  test("switches on and off; the same act again changes nothing", async () => {
    const { provider, switched } = await create();
    await provider.request(act("on"));
    await provider.request(act("on"));
    expect(await switched()).toEqual(["on"]);
    await provider.request(act("off"));
    await provider.request(act("off"));
    expect(await switched()).toEqual(["on", "off"]);
    await provider.stop();
  });

  test("can be stopped twice, and without having done anything", async () => {
    const { provider } = await create();
    await provider.stop();
    await provider.stop();
  });
}
