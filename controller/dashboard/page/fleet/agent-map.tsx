import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { formatNumber, formatRate, formatWatts, quantityText } from "#platform/page/format.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { goTo, query, setQuery } from "#platform/page/url-state.ts";
import type { AgentRow } from "../../agent-row.ts";
import { conditions, idsVersion, rows, rowsVersion } from "../fleet-state.ts";
import { type CellColor, cellColor, placeOf } from "./map-cells.ts";

const cellPx = 12;
const gapPx = 2;
const stepPx = cellPx + gapPx;

const colorings = ["state", "load", "power", "temperature"] as const;
type Coloring = (typeof colorings)[number];

const sentences: Readonly<Record<Coloring, string>> = {
  state: "Colour and shape are what agents do.",
  load: "The darker, the nearer to the agent's capacity.",
  power: "The darker, the more power, up to the highest.",
  temperature: "The darker, the hotter, from 30 to 100 °C.",
};

function draw(canvas: HTMLCanvasElement, cells: readonly AgentRow[], columns: number, coloring: Coloring): void {
  const ratio = devicePixelRatio;
  const lines = Math.ceil(cells.length / columns);
  const [width, height] = [columns * stepPx, lines * stepPx];
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.scale(ratio, ratio);
  // A canvas knows no custom properties: its element's own colour is what they come to.
  const style = getComputedStyle(canvas);
  const colorOf = (name: CellColor["name"]) => {
    canvas.style.color = `var(${name})`;
    return style.color;
  };
  const named = new Map<string, string>();
  const maxWatts = cells.reduce((max, [, , , , , watts]) => Math.max(max, watts ?? 0), 1);
  for (const [index, row] of cells.entries()) {
    const { name, share, isHollow, isCrossed } = cellColor(row, coloring, maxWatts);
    const x = (index % columns) * stepPx;
    const y = Math.floor(index / columns) * stepPx;
    const color = named.get(name) ?? colorOf(name);
    named.set(name, color);
    context.globalAlpha = share;
    if (isHollow) {
      context.strokeStyle = color;
      context.lineWidth = 1.5;
      context.strokeRect(x + 1, y + 1, cellPx - 2, cellPx - 2);
    } else {
      context.fillStyle = color;
      context.fillRect(x, y, cellPx, cellPx);
    }
    if (isCrossed) {
      context.strokeStyle = color;
      context.lineWidth = 1.5;
      context.beginPath();
      context.moveTo(x + 3, y + 3);
      context.lineTo(x + cellPx - 3, y + cellPx - 3);
      context.moveTo(x + cellPx - 3, y + 3);
      context.lineTo(x + 3, y + cellPx - 3);
      context.stroke();
    }
  }
}

function describe([agentId, condition, textsPerS, , p95Ms, watts, temperatureC]: AgentRow): string {
  const parts = [
    conditions[condition] ?? "",
    quantityText(formatRate(textsPerS)),
    `p95 ${formatNumber(p95Ms)} ms`,
    quantityText(formatWatts(watts)),
    `${formatNumber(temperatureC)} °C`,
  ];
  return `${safeText(agentId, 64)}: ${parts.join(", ")}`;
}

/** The agents as cells, one each, in the order of their ids. The table has the same agents for keyboards and readers. */
export function AgentMap() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const host = useRef<HTMLDivElement>(null);
  const pointed = useSignal<AgentRow | null>(null);
  const cells = useRef<{ readonly rows: readonly AgentRow[]; readonly columns: number }>({ rows: [], columns: 1 });
  const asked = query.value.get("color");
  const coloring = colorings.find((each) => each === asked) ?? "state";
  const order = useRef<{ version: number; readonly ids: string[] }>({ version: -1, ids: [] });
  const version = rowsVersion.value;
  useEffect(() => {
    const paint = () => {
      const [element, outer] = [canvas.current, host.current];
      if (element === null || outer === null || outer.clientWidth === 0) return;
      if (order.current.version !== idsVersion) order.current = { version: idsVersion, ids: [...rows.keys()].sort() };
      const sorted = order.current.ids.map((id) => rows.get(id) as AgentRow);
      const columns = Math.max(1, Math.floor(outer.clientWidth / stepPx));
      cells.current = { rows: sorted, columns };
      draw(element, sorted, columns, coloring);
    };
    const frame = requestAnimationFrame(paint);
    const resizing = new ResizeObserver(paint);
    if (host.current !== null) resizing.observe(host.current);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", paint);
    const theme = new MutationObserver(paint);
    theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      cancelAnimationFrame(frame);
      resizing.disconnect();
      dark.removeEventListener("change", paint);
      theme.disconnect();
    };
  }, [version, coloring]);
  const rowAt = (event: MouseEvent): AgentRow | null => {
    const { rows: shown, columns } = cells.current;
    const place = placeOf(event.offsetX, event.offsetY, stepPx, columns);
    return place === null ? null : (shown[place] ?? null);
  };
  const counts = useMemo(() => {
    const found = conditions.map(() => 0);
    for (const [, condition] of rows.values()) found[condition] = (found[condition] ?? 0) + 1;
    return conditions.map((name, index) => `${formatNumber(found[index], 9)} ${name}`);
  }, [version]);
  return (
    <div class="agent-map">
      <p class="muted">
        <label>
          Map by{" "}
          <select value={coloring} onChange={(event) => setQuery({ color: event.currentTarget.value })}>
            {colorings.map((each) => (
              <option key={each} value={each}>
                {each}
              </option>
            ))}
          </select>
        </label>{" "}
        {sentences[coloring]} Hollow: standby. Crossed: offline.
      </p>
      <div ref={host}>
        <canvas
          ref={canvas}
          role="img"
          aria-label={`Map of agents: ${counts.join(", ")}`}
          onMouseMove={(event) => {
            pointed.value = rowAt(event);
          }}
          onMouseLeave={() => {
            pointed.value = null;
          }}
          onClick={(event) => {
            const row = rowAt(event);
            if (row !== null) goTo(`/agents/${encodeURIComponent(row[0])}`);
          }}
        />
      </div>
      <p class="pointed">{pointed.value === null ? counts.join(", ") : describe(pointed.value)}</p>
    </div>
  );
}
