import { safeText } from "../safe-text.ts";

interface BarListProps {
  readonly title: string;
  readonly rows: readonly { readonly name: string; readonly value: number; readonly text: string }[];
  /** Name of the row that stands out. */
  readonly main?: string;
}

const rowHeight = 24;
const width = 100;

/** Named amounts as bars below each other. */
export function BarList({ title, rows, main }: BarListProps) {
  const highest = rows.reduce((most, { value }) => Math.max(most, value), 0) || 1;
  const height = rows.length * rowHeight;
  return (
    <div class="bar-list">
      <ul>
        {rows.map(({ name }) => (
          <li key={name}>{safeText(name, 30)}</li>
        ))}
      </ul>
      <svg
        viewBox={`0 0 ${width} ${Math.max(1, height)}`}
        style={{ height: `${height}px` }}
        preserveAspectRatio="none"
        role="img"
        aria-label={title}
      >
        {rows.map(({ name, value }, index) => (
          <rect
            key={name}
            style={{ fill: name === main ? "var(--c1)" : "var(--c-idle)" }}
            x="0"
            y={index * rowHeight + 5}
            width={((width * value) / highest).toFixed(1)}
            height="14"
          />
        ))}
      </svg>
      <ul>
        {rows.map(({ name, text }) => (
          <li key={name}>{text}</li>
        ))}
      </ul>
    </div>
  );
}
