// How well a colour can be read on another, by the rules of WCAG 2.

/** Red, green and blue, each a whole number from 0 to 255. */
export type Colour = readonly [number, number, number];

/** The least ratio at which text of any size can be read (WCAG 2, level AA). */
export const READABLE = 4.5;

const BLACK: Colour = [0, 0, 0];
const WHITE: Colour = [255, 255, 255];
// A colour is moved towards black or white in so many steps: each is too small to be seen.
const STEPS = 64;

/** The light of each value of a channel. */
const LINEAR: readonly number[] = Array.from({ length: 256 }, (_, channel) => {
  const part = channel / 255;
  return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
});

/** The colour of a text such as `#rrggbb`. */
export function colourOf(hex: string): Colour {
  const value = Number.parseInt(hex.slice(1), 16);
  return [Math.floor(value / 65_536) % 256, Math.floor(value / 256) % 256, value % 256];
}

/** A colour as `#rrggbb`. */
export function hexOf(colour: Colour): string {
  return `#${colour.map((channel) => Math.round(channel).toString(16).padStart(2, "0")).join("")}`;
}

/** One colour with a share (0 to 1) of another one mixed into it. */
export function mixed(colour: Colour, other: Colour, share: number): Colour {
  const channel = (index: 0 | 1 | 2): number => Math.round(colour[index] + (other[index] - colour[index]) * share);
  return [channel(0), channel(1), channel(2)];
}

/** The ratio between two colours: from 1, which cannot be seen, to 21. */
export function contrast(a: Colour, b: Colour): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((one, other) => other - one) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function luminance([red, green, blue]: Colour): number {
  const linear = (channel: number): number => LINEAR[channel] ?? 0;
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

/** The colour that is nearest to `colour`, on its way to black or to white, and can be read on all of `backgrounds`. */
export function readable(colour: Colour, backgrounds: readonly Colour[]): Colour {
  const least = (each: Colour): number => Math.min(...backgrounds.map((background) => contrast(each, background)));
  if (least(colour) >= READABLE) return colour;
  const end = least(WHITE) > least(BLACK) ? WHITE : BLACK;
  // On the way it is unreadable up to some step, and readable from there on.
  let [unreadable, step] = [0, STEPS];
  while (step - unreadable > 1) {
    const between = Math.floor((unreadable + step) / 2);
    if (least(mixed(colour, end, between / STEPS)) >= READABLE) step = between;
    else unreadable = between;
  }
  return mixed(colour, end, step / STEPS);
}
