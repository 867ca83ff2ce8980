import type { DataStore } from "#platform/files/data-store.ts";
import { dataMap } from "./data-map.ts";

const owners = { controller: "Controller", agent: "Agent", tool: "Other commands" } as const;

const personal = { none: "–", names: "names", addresses: "names, addresses", texts: "texts of clients" } as const;

/** Fate of a tenant's data, for people. */
export const tenantToText = ({ tenant, exported }: Pick<DataStore, "tenant" | "exported">): string =>
  tenant === "none" ? "–" : `${tenant}${exported ? ", exported" : ""}`;

/** The data map as tables in Markdown. */
export function dataMapTable(stores: readonly DataStore[] = dataMap): string {
  return Object.entries(owners)
    .flatMap(([of, title]) => [
      `## ${title}`,
      [
        "| store | kind | holds | for | of people | of a tenant | kept |",
        "|---|---|---|---|---|---|---|",
        ...stores
          .filter((store) => store.of === of)
          .map(
            (store) =>
              `| \`${store.id}\` | ${store.kind} | ${store.holds} | ${store.purpose} | ${personal[store.personal]} | ${tenantToText(store)} | ${store.kept} |`,
          ),
      ].join("\n"),
    ])
    .join("\n\n");
}
