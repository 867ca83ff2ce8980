import { UsageError } from "#platform/errors.ts";
import { suggest } from "#platform/near-names.ts";
import { type CatalogModel, findInCatalog } from "./catalog.ts";

export interface WantedModel {
  /** Name on this machine; also its directory. */
  readonly id: string;
  readonly repo: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** Its entry in the catalogue; null when there is none. */
  readonly known: CatalogModel | null;
}

/** Part of a repository's name. It becomes a directory, so it is neither ".." nor hidden. */
const part = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const revisionPattern = /^[A-Za-z0-9][A-Za-z0-9._/-]*$/;

export const isModelId = (id: string) => {
  const parts = id.split("/");
  return parts.length <= 2 && id.length <= 128 && parts.every((each) => part.test(each));
};

/**
 * Reads `ID`, `organisation/name`, both with an optional `@revision`.
 * @throws UsageError when it is neither in the catalogue nor a repository's name.
 */
export function parseModelName(text: string, catalog: readonly CatalogModel[]): WantedModel {
  const at = text.lastIndexOf("@");
  const name = at < 0 ? text : text.slice(0, at);
  const revision = at < 0 ? null : text.slice(at + 1);
  if (revision !== null && (!revisionPattern.test(revision) || revision.includes(".."))) {
    throw new UsageError(`"${text}": expected a branch, tag or commit after @, got "${revision}"`);
  }
  const known = findInCatalog(catalog, name);
  if (known !== undefined) {
    const { repo } = known.source;
    return { id: known.id, repo, revision: revision ?? known.source.revision, known };
  }
  if (name.split("/").length === 2 && isModelId(name)) {
    return { id: name, repo: name, revision: revision ?? "main", known: null };
  }
  throw new UsageError(
    `"${text}" is neither in the catalogue (thormesh models list shows it) nor organisation/name[@revision] of a repository${suggest(
      name,
      catalog.map(({ id }) => id),
    )}`,
  );
}
