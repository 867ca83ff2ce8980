/** Kinds of status; by the style sheet each has a shape and a colour of its own, so that none counts on colour alone. */
export type StatusKind = "good" | "idle" | "busy" | "warn" | "bad" | "off";

/** A status as a word with its shape. */
export const StatusWord = ({
  kind,
  word,
  title,
}: {
  readonly kind: StatusKind;
  readonly word: string;
  readonly title?: string;
}) => (
  <span class={`status status-${kind}`} title={title}>
    {word}
  </span>
);
