/** Colours of the pictures, on a light page and on a dark one. */

/** One colour twice. */
export interface Colour {
  readonly light: string;
  readonly dark: string;
}

/** Behind everything: a picture reads the same wherever it is put. */
export const PAPER: Colour = { light: "#fefefe", dark: "#0d1117" };
/** Names. */
export const INK: Colour = { light: "#1f2328", dark: "#e6edf3" };
/** All other text. */
export const MUTED: Colour = { light: "#57606a", dark: "#a3acb6" };

/** Inside of boxes and frames. */
export const FILLS = {
  entry: { light: "#ede4fd", dark: "#33264f" },
  compute: { light: "#ffe9d6", dark: "#472a12" },
  store: { light: "#dcf2e0", dark: "#173a20" },
  message: { light: "#fde4ee", dark: "#471b33" },
  identity: { light: "#fdf3c7", dark: "#40340b" },
  watch: { light: "#e3e8ee", dark: "#2b323b" },
  outside: { light: "#fcfcfd", dark: "#11161d" },
  cloud: { light: "#f7f8fa", dark: "#12171f" },
  network: { light: "#edf4fd", dark: "#132238" },
  tier: { light: "#fafcff", dark: "#0f1a2b" },
  other: { light: "#f9f9f7", dark: "#151515" },
} as const satisfies Readonly<Record<string, Colour>>;

/** Edges of boxes and frames. */
export const STROKES = {
  entry: { light: "#8250df", dark: "#a98bf0" },
  compute: { light: "#bc4c00", dark: "#e0823d" },
  store: { light: "#1a7f37", dark: "#3fb95f" },
  message: { light: "#bf3989", dark: "#e275ad" },
  identity: { light: "#9a6700", dark: "#d2a022" },
  watch: { light: "#6e7781", dark: "#8d96a1" },
  outside: { light: "#6e7782", dark: "#8d96a2" },
  frame: { light: "#afb8c1", dark: "#444c56" },
} as const satisfies Readonly<Record<string, Colour>>;

/** Arrows. */
export const LINES = {
  network: { light: "#0969da", dark: "#4493f8" },
  data: { light: "#1a7f38", dark: "#3fb950" },
  event: { light: "#6e7780", dark: "#8d96a0" },
} as const satisfies Readonly<Record<string, Colour>>;

/** Every colour of a picture. */
export const COLOURS: readonly Colour[] = [
  PAPER,
  INK,
  MUTED,
  ...Object.values(FILLS),
  ...Object.values(STROKES),
  ...Object.values(LINES),
];

/** The rules that turn a light picture into a dark one. */
export function rulesForDark(): string {
  return COLOURS.map(({ light, dark }) => `[fill="${light}"]{fill:${dark}}[stroke="${light}"]{stroke:${dark}}`).join(
    "",
  );
}
