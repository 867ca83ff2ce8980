import { type Static, Type } from "@sinclair/typebox";
import { Pooling } from "#agent/serving/models/model-manifest.ts";
import catalogJson from "#models/catalog.json" with { type: "json" };
import { parseConfig } from "#platform/files/read-config.ts";
import { literals, orNull, strict } from "#platform/schema-parts.ts";

const CatalogFile = Type.Object(
  {
    path: Type.String({ minLength: 1 }),
    /** Null: unknown, the hub's statement counts. */
    sha256: orNull(Type.String({ pattern: "^[0-9a-f]{64}$" })),
    bytes: orNull(Type.Integer({ minimum: 1 })),
  },
  strict,
);

const CatalogModel = Type.Object(
  {
    id: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]*$", maxLength: 128 }),
    name: Type.String({ minLength: 1 }),
    aliases: Type.Array(Type.String({ minLength: 1 })),
    kind: literals("embedding", "cross-encoder"),
    /** Repository of Hugging Face, and a branch, tag or commit of it. */
    source: Type.Object({ repo: Type.String({ pattern: "^[\\w.-]+/[\\w.-]+$" }), revision: Type.String() }, strict),
    /** Required files; others that describe the model are pulled too. */
    files: Type.Array(CatalogFile, { minItems: 2 }),
    dimension: Type.Integer({ minimum: 1 }),
    pooling: Pooling,
    /** Null: from its own files. */
    normalise: orNull(Type.Boolean()),
    maxTokens: Type.Integer({ minimum: 3 }),
    prompts: Type.Record(Type.String(), Type.String()),
    defaultPrompt: orNull(Type.String()),
    licence: Type.String({ minLength: 1 }),
    params: Type.Integer({ minimum: 1 }),
  },
  strict,
);
export type CatalogModel = Static<typeof CatalogModel>;

const Catalog = Type.Object({ comment: Type.String(), models: Type.Array(CatalogModel) }, strict);

/** Reads the models that the program knows by name, from `models/catalog.json`. */
export function readCatalog(): readonly CatalogModel[] {
  return parseConfig(Catalog, catalogJson, "the catalogue of models").models;
}

/** Finds a model by id, alias or repository, ignoring case. */
export function findInCatalog(models: readonly CatalogModel[], name: string): CatalogModel | undefined {
  const wanted = name.toLowerCase();
  return models.find(({ id, aliases, source }) =>
    [id, source.repo, ...aliases].some((known) => known.toLowerCase() === wanted),
  );
}
