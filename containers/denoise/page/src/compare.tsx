/** Before and after, one above the other, with a divider that is dragged, or moved with the arrow keys. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { draw, type Grey, levelsOf } from "./decode";

const ZOOMS = [0.125, 0.25, 0.5, 1, 2, 4, 8] as const;

export interface CompareProps {
  readonly name: string;
  readonly before: Grey;
  /** @default - not there yet: only what was before is shown */
  readonly after?: Grey;
}

export function Compare({ name, before, after }: CompareProps) {
  const [divide, setDivide] = useState(50);
  const [zoom, setZoom] = useState<number | "fit">("fit");
  const [dragging, setDragging] = useState(false);
  const stage = useRef<HTMLElement>(null);
  const scale = zoom === "fit" ? fitting(stage.current, before) : zoom;
  // The same levels for both, or what was dim noise would look like signal. The clean one's: noise widens the other's.
  const levels = useMemo(() => levelsOf(after ?? before), [before, after]);
  const size = { width: `${before.width * scale}px`, height: `${before.height * scale}px` };
  const moved = ({ clientX, currentTarget }: PointerEvent) => {
    const { left, width } = (currentTarget as HTMLElement).getBoundingClientRect();
    setDivide(Math.round(Math.max(0, Math.min(100, ((clientX - left) / width) * 100))));
  };
  const step = (by: 1 | -1) => {
    const next = by === 1 ? ZOOMS.find((each) => each > scale) : [...ZOOMS].reverse().find((each) => each < scale);
    setZoom(next ?? scale);
  };
  return (
    <section aria-label="Comparison" class="compare">
      <div class="tools">
        <button type="button" onClick={() => step(-1)} disabled={scale <= ZOOMS[0]}>
          Smaller
        </button>
        <button type="button" onClick={() => step(1)} disabled={scale >= (ZOOMS.at(-1) ?? 8)}>
          Larger
        </button>
        <button type="button" onClick={() => setZoom("fit")} aria-pressed={zoom === "fit"}>
          Fit
        </button>
        <button type="button" onClick={() => setZoom(1)} aria-pressed={zoom === 1}>
          100 %
        </button>
        <output class="quiet">{Math.round(scale * 1_000) / 10} %</output>
        <span class="quiet levels">
          black {levels.low}, white {levels.high}
        </span>
      </div>
      <section
        class="stage"
        ref={stage}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached with the keyboard.
        tabIndex={0}
        aria-label={`${name}, ${before.width} × ${before.height} pixels`}
      >
        <div
          class={after ? "layers divided" : "layers"}
          style={size}
          onPointerDown={(event) => {
            if (after) {
              event.currentTarget.setPointerCapture(event.pointerId);
              setDragging(true);
              moved(event);
            }
          }}
          onPointerMove={(event) => dragging && moved(event)}
          onPointerUp={() => setDragging(false)}
          onPointerCancel={() => setDragging(false)}
        >
          <Layer image={before} levels={levels} label={`Before: ${name}`} pixelated={scale >= 2} />
          {after && (
            <>
              <Layer image={after} levels={levels} label={`After: ${name}`} pixelated={scale >= 2} clip={divide} />
              <div class="divider" style={{ left: `${divide}%` }} />
            </>
          )}
        </div>
      </section>
      {after && (
        <label class="divide">
          <span>Before</span>
          <input
            type="range"
            min={0}
            max={100}
            value={divide}
            aria-label="Divider between before and after"
            aria-valuetext={`${divide} % before, ${100 - divide} % after`}
            onInput={({ currentTarget }) => setDivide(Number(currentTarget.value))}
          />
          <span>After</span>
        </label>
      )}
    </section>
  );
}

interface LayerProps {
  readonly image: Grey;
  readonly levels: ReturnType<typeof levelsOf>;
  readonly label: string;
  readonly pixelated: boolean;
  /** Percent of its width that is left out, from the left. @default 0 */
  readonly clip?: number;
}

function Layer({ image, levels, label, pixelated, clip = 0 }: LayerProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (canvas.current) {
      draw(canvas.current, image, levels);
    }
  }, [image, levels]);
  const style = { clipPath: `inset(0 0 0 ${clip}%)`, imageRendering: pixelated ? "pixelated" : "auto" } as const;
  return <canvas ref={canvas} role="img" aria-label={label} style={style} />;
}

/** The scale at which an image fills its stage's width, and no more than 70 % of the window's height; never more than 100 %. */
function fitting(stage: HTMLElement | null, { width, height }: Grey): number {
  const room = stage?.clientWidth ?? Math.min(window.innerWidth - 40, 900);
  return Math.min(1, room / width, (window.innerHeight * 0.7) / height);
}
