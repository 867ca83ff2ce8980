import { useState } from "preact/hooks";
import { ApiError, request } from "#platform/page/api-client.ts";
import { formatDuration, formatNumber, quantityText } from "#platform/page/format.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { models } from "./agent-state.ts";

/** Vectors of one or two texts, as far as people look at them. */
interface Tried {
  readonly model: string;
  readonly dimensions: number;
  readonly tokens: number;
  readonly truncated: number;
  readonly ms: number;
  readonly servedBy: string | null;
  /** Cosine of the angle between two vectors; null: there was one text. */
  readonly similarity: number | null;
  /** First numbers of the first vector. */
  readonly first: readonly number[];
}

interface EmbeddingsAnswer {
  readonly data: readonly { readonly embedding: readonly number[] }[];
  readonly model: string;
  readonly usage: { readonly total_tokens: number; readonly truncated_inputs: number };
}

/** Cosine of the angle between two vectors: 1 for the same direction. */
export function cosine(one: readonly number[], other: readonly number[]): number {
  let product = 0;
  let ofOne = 0;
  let ofOther = 0;
  for (let index = 0; index < one.length; index += 1) {
    const [a, b] = [one[index] ?? 0, other[index] ?? 0];
    product += a * b;
    ofOne += a * a;
    ofOther += b * b;
  }
  return ofOne === 0 || ofOther === 0 ? 0 : product / Math.sqrt(ofOne * ofOther);
}

async function embed(model: string, texts: readonly string[]): Promise<Tried> {
  const startedMs = performance.now();
  const answer = await request("/v1/embeddings", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...(model === "" ? {} : { model }), input: texts }),
  });
  const body = (await answer.json()) as EmbeddingsAnswer;
  const ms = performance.now() - startedMs;
  const [one = [], other] = body.data.map(({ embedding }) => embedding);
  return {
    ...{ model: body.model, dimensions: one.length, tokens: body.usage.total_tokens, ms },
    truncated: body.usage.truncated_inputs,
    servedBy: answer.headers.get("x-thormesh-served-by"),
    similarity: other === undefined ? null : cosine(one, other),
    first: one.slice(0, 4),
  };
}

const likeness = (cosineOfBoth: number) =>
  cosineOfBoth > 0.8
    ? "nearly the same"
    : cosineOfBoth > 0.5
      ? "alike"
      : cosineOfBoth > 0.25
        ? "somewhat alike"
        : "different";

function Outcome({ tried }: { readonly tried: Tried }) {
  const { model, dimensions, tokens, truncated, ms, servedBy, similarity, first } = tried;
  return (
    <dl class="pairs">
      <dt>model</dt>
      <dd>
        {safeText(model)}
        {servedBy === null ? "" : `, answered by ${servedBy === "home" ? "this agent" : safeText(servedBy)}`}
      </dd>
      <dt>vector</dt>
      <dd>
        {formatNumber(dimensions, 6)} numbers{" "}
        <span class="muted">[{first.map((each) => each.toFixed(3)).join(", ")}, …]</span>
      </dd>
      <dt>tokens</dt>
      <dd>
        {formatNumber(tokens, 6)}
        {truncated === 0 ? "" : `; ${truncated} ${truncated === 1 ? "text was" : "texts were"} too long and cut`}
      </dd>
      <dt>time</dt>
      <dd>{quantityText(formatDuration(ms))}, as this browser measured it</dd>
      {similarity === null ? null : (
        <>
          <dt>similarity</dt>
          <dd>
            <b>{similarity.toFixed(3)}</b> <span class="muted">(1: the same; these are {likeness(similarity)})</span>
          </dd>
        </>
      )}
    </dl>
  );
}

/** Box in which one tries a text, or compares two. */
export function TryText() {
  const [one, setOne] = useState("The gripper lost the part.");
  const [other, setOther] = useState("");
  const [model, setModel] = useState("");
  const [tried, setTried] = useState<Tried | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const embedding = models.value?.filter(({ kind }) => kind === "embedding") ?? [];
  const run = async () => {
    setBusy(true);
    setProblem(null);
    try {
      setTried(await embed(model, other === "" ? [one] : [one, other]));
    } catch (error) {
      setTried(null);
      setProblem(
        error instanceof ApiError ? `${error.message}${error.status === 0 ? "" : ` (${error.status})`}` : String(error),
      );
    } finally {
      setBusy(false);
    }
  };
  return (
    <section class="card" aria-label="Try a text">
      <h2>Try a text</h2>
      <form
        class="try"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <label for="text-one">text</label>
        <textarea id="text-one" rows={2} value={one} onInput={(event) => setOne(event.currentTarget.value)} />
        <label for="text-other">another, to compare</label>
        <textarea id="text-other" rows={2} value={other} onInput={(event) => setOther(event.currentTarget.value)} />
        {embedding.length < 2 ? null : (
          <>
            <label for="model">model</label>
            <select id="model" value={model} onChange={(event) => setModel(event.currentTarget.value)}>
              <option value="">the default one</option>
              {embedding.map(({ id }) => (
                <option key={id} value={id}>
                  {safeText(id, 80)}
                </option>
              ))}
            </select>
          </>
        )}
        <button type="submit" class="primary" disabled={isBusy || one === ""}>
          {isBusy ? "computing" : "make vectors"}
        </button>
      </form>
      <div role="status">
        {problem === null ? null : <p class="note bad">■ {safeText(problem)}</p>}
        {tried === null ? null : <Outcome tried={tried} />}
      </div>
    </section>
  );
}
