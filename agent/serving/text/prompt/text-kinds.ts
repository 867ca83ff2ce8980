/** Word of a client for its texts, and the field in which it says it. */
export interface SaidKind {
  readonly field: string;
  readonly value: string;
}

interface TextKind {
  /** Words of other servers' clients, as {@link plainName} has them. */
  readonly words: readonly string[];
  /** Names that models have for its prompt, the first that a model has counts. */
  readonly prompts: readonly string[];
}

/** Kinds of text for which models have prompts, by the words of Cohere, Voyage, NVIDIA, Jina, Nomic, Google and Alibaba. */
export const textKinds: Readonly<Record<string, TextKind>> = {
  query: {
    words: ["query", "search_query", "retrieval_query"],
    prompts: ["query", "search_query", "retrieval_query", "s2p_query", "web_search_query"],
  },
  document: {
    words: ["document", "passage", "search_document", "retrieval_document", "retrieval_passage"],
    prompts: ["document", "passage", "search_document", "retrieval_document", "retrieval_passage", "corpus"],
  },
  classification: { words: ["classification"], prompts: ["classification"] },
  clustering: { words: ["clustering", "separation"], prompts: ["clustering", "separation"] },
  similarity: {
    words: ["similarity", "semantic_similarity", "text_matching"],
    prompts: ["similarity", "semantic_similarity", "text_matching", "sts", "sts_query", "s2s_query"],
  },
  "question answering": { words: ["question_answering"], prompts: ["question_answering"] },
  "fact verification": { words: ["fact_verification"], prompts: ["fact_verification"] },
  "code query": {
    words: ["code_query", "code_retrieval_query", "nl2code_query"],
    prompts: ["code_query", "code_retrieval_query", "nl2code_query"],
  },
};

/** Words with which a client leaves the kind open. */
const openWords: ReadonlySet<string> = new Set(["", "text", "none", "task_type_unspecified"]);

/** Returns a name in lower case with `_` between its words: `retrieval.query` and `RETRIEVAL_QUERY` are one. */
export const plainName = (name: string): string => name.toLowerCase().replaceAll(/[\s.-]/g, "_");

/** True for a word that says nothing of the texts. */
export const leavesKindOpen = (value: string): boolean => openWords.has(plainName(value));

/** Finds the kind that a client's word stands for; undefined for an unknown word. */
export function kindNamed(value: string): string | undefined {
  const word = plainName(value);
  return Object.keys(textKinds).find((kind) => textKinds[kind]?.words.includes(word));
}
