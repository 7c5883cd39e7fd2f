/** The order of texts by their UTF-8 bytes, which is Nix's. JavaScript's own differs beyond U+FFFF. */

/** For `sort`: negative where `a` comes first, 0 where they are the same. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return place(left) - place(right);
  }
  return a.length - b.length;
}

/** Surrogates stand for the characters beyond all others. */
function place(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}
