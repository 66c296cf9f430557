// Random numbers that come again for the same seed.

/** A source of its own for each `seed` and `name`: what one actor draws does not depend on when another does. */
export function randomOf(seed, name) {
  let state = [...`${seed}/${name}`].reduce((hash, c) => Math.imul(hash ^ c.charCodeAt(0), 0x01000193), 0x811c9dc5) >>> 0;
  // mulberry32
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const random = {
    /** A whole number below `limit`. */
    below: (limit) => Math.floor(next() * limit),
    chance: (probability) => next() < probability,
    pick: (list) => list[random.below(list.length)],
    /** One of the keys of { key: weight }. */
    weighted: (weights) => {
      const entries = Object.entries(weights);
      let at = next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [key, weight] of entries) {
        at -= weight;
        if (at < 0) return key;
      }
      return entries.at(-1)[0];
    },
    /** Bytes of any value. */
    bytes: (size) => {
      const bytes = Buffer.allocUnsafe(size);
      for (let i = 0; i < size; i++) bytes[i] = random.below(256);
      return bytes;
    },
    /** Sizes as they matter: mostly small, some at the limits of length forms, few large. */
    size: () => random.pick([0, 1, random.below(125), 125, 126, random.below(5000), random.below(70_000), 65_535, 65_536]),
  };
  return random;
}
