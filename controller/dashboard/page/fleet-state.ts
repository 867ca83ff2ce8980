import { signal } from "@preact/signals";
import type { FleetView } from "#controller/api/schemas.ts";
import { getJson } from "#platform/page/api-client.ts";
import { noteAway, noteLive } from "#platform/page/connection.ts";

/** The fleet as the controller told it last; null: not yet. */
export const fleet = signal<FleetView | null>(null);

const periodMs = 2_000;

/** Keeps {@link fleet} fresh while the page is visible. */
export function followFleet(): void {
  const load = async () => {
    if (!document.hidden) {
      try {
        const view = await getJson<FleetView>("/api/v1/fleet");
        fleet.value = view;
        noteLive(view.nowMs);
      } catch (error) {
        noteAway(error);
      }
    }
    setTimeout(() => void load(), periodMs);
  };
  void load();
}
