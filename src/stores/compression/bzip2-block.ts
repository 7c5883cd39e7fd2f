/**
 * One block of a bzip2 stream: Huffman codes, move-to-front, the Burrows-Wheeler transform and run lengths undone.
 *
 * Source: see bzip2.ts.
 */
import type { BitReader } from './bzip2-bits.ts';

const GROUP_SIZE = 50;
const MAX_CODE_LENGTH = 20;
const MAX_SELECTORS = 18_002;
const RUN_B = 1;
const CORRUPT = 'corrupt data';

/** Decoded but for its run lengths, which can make 45 MB out of it. */
export class Bzip2Block {
  readonly wantedCrc: number;
  /** One entry a byte: the byte, and above it the index of the entry that follows. */
  readonly #next: Uint32Array;
  #left: number;
  #entry: number;
  #previous = -1;
  #run = 0;
  #repeat = 0;
  #crc = -1;

  constructor(next: Uint32Array, length: number, origin: number, wantedCrc: number) {
    this.#next = next;
    this.#left = length;
    this.#entry = next[origin]! >>> 8;
    this.wantedCrc = wantedCrc;
  }

  get done(): boolean {
    return this.#left === 0 && this.#repeat === 0;
  }

  /** Of what was read so far. */
  get crc(): number {
    return ~this.#crc >>> 0;
  }

  /** Writes into `output` from `start` on. Returns how many bytes that were. */
  read(output: Uint8Array, start: number): number {
    let at = start;
    while (at < output.length && !this.done) {
      if (this.#repeat > 0) {
        const end = Math.min(at + this.#repeat, output.length);
        output.fill(this.#previous, at, end);
        this.#repeat -= end - at;
        at = end;
        continue;
      }
      const entry = this.#next[this.#entry]!;
      const byte = entry & 0xff;
      this.#entry = entry >>> 8;
      this.#left--;
      if (this.#run === 4) {
        this.#repeat = byte;
        this.#run = 0;
        continue;
      }
      this.#run = byte === this.#previous ? this.#run + 1 : 1;
      this.#previous = byte;
      output[at++] = byte;
    }
    this.#crc = updateCrc(this.#crc, output, start, at);
    return at - start;
  }
}

/**
 * @param size - the most bytes that a block of this stream has, before run lengths.
 * @returns what is wrong with it, where it is no block.
 */
export function decodeBlock(bits: BitReader, size: number, crc: number): Bzip2Block | string {
  if (bits.read(1) === 1) return 'a randomised block, as only bzip2 0.9 made them';
  const origin = bits.read(24);
  const alphabet = readAlphabet(bits);
  const symbols = alphabet.length + 2;
  const tableCount = bits.read(3);
  const selectorCount = bits.read(15);
  if (alphabet.length === 0 || tableCount < 2 || tableCount > 6 || selectorCount === 0) return CORRUPT;
  const selectors = readSelectors(bits, tableCount, selectorCount);
  if (selectors === undefined) return CORRUPT;
  const tables: HuffmanTable[] = [];
  for (let index = 0; index < tableCount; index++) {
    const lengths = readCodeLengths(bits, symbols);
    if (lengths === undefined) return CORRUPT;
    tables.push(new HuffmanTable(lengths));
  }

  const next = new Uint32Array(size);
  const counts = new Uint32Array(256);
  const length = readBytes(bits, alphabet, selectors, tables, next, counts);
  if (length === undefined || origin >= length) return CORRUPT;
  linkEntries(next, counts, length);
  return new Bzip2Block(next, length, origin, crc);
}

/** The bytes that occur in the block, in order. */
function readAlphabet(bits: BitReader): Uint8Array {
  const alphabet: number[] = [];
  const ranges = bits.read(16);
  for (let range = 0; range < 16; range++) {
    if ((ranges & (0x8000 >> range)) === 0) continue;
    const used = bits.read(16);
    for (let low = 0; low < 16; low++) if ((used & (0x8000 >> low)) !== 0) alphabet.push(range * 16 + low);
  }
  return Uint8Array.from(alphabet);
}

/** Which table each group of symbols has, written as positions in a list whose last used one comes first. */
function readSelectors(bits: BitReader, tableCount: number, selectorCount: number): Uint8Array | undefined {
  const order = Uint8Array.from({ length: tableCount }, (_, index) => index);
  const selectors = new Uint8Array(Math.min(selectorCount, MAX_SELECTORS));
  for (let index = 0; index < selectorCount; index++) {
    let position = 0;
    while (bits.read(1) === 1) if (++position === tableCount) return undefined;
    const table = moveToFront(order, position);
    if (index < MAX_SELECTORS) selectors[index] = table; // some encoders write more than there can be groups
  }
  return selectors;
}

/** The length of each symbol's code, written as steps from the one before. */
function readCodeLengths(bits: BitReader, symbols: number): Uint8Array | undefined {
  const lengths = new Uint8Array(symbols);
  let length = bits.read(5);
  for (let symbol = 0; symbol < symbols; symbol++) {
    while (bits.read(1) === 1) {
      length += bits.read(1) === 0 ? 1 : -1;
      if (length < 1 || length > MAX_CODE_LENGTH) return undefined;
    }
    if (length < 1 || length > MAX_CODE_LENGTH) return undefined;
    lengths[symbol] = length;
  }
  return lengths;
}

/** A canonical Huffman code: the codes of one length follow one another, the shorter ones come first. */
class HuffmanTable {
  readonly #symbols: Uint16Array;
  /** By length: the last code, and what to add to a code for its place in the symbols. */
  readonly #last = new Int32Array(MAX_CODE_LENGTH + 1).fill(-1);
  readonly #shift = new Int32Array(MAX_CODE_LENGTH + 1);

  constructor(lengths: Uint8Array) {
    this.#symbols = new Uint16Array(lengths.length);
    let place = 0;
    let code = 0;
    for (let length = 1; length <= MAX_CODE_LENGTH; length++, code <<= 1) {
      this.#shift[length] = place - code;
      for (let symbol = 0; symbol < lengths.length; symbol++) {
        if (lengths[symbol] !== length) continue;
        this.#symbols[place++] = symbol;
        this.#last[length] = code++;
      }
    }
  }

  /** The next symbol; undefined where no code is like what comes. */
  read(bits: BitReader): number | undefined {
    let code = 0;
    for (let length = 1; length <= MAX_CODE_LENGTH; length++) {
      code = (code << 1) | bits.read(1);
      if (code <= this.#last[length]!) return this.#symbols[code + this.#shift[length]!];
    }
    return undefined;
  }
}

/** Fills the bytes of the entries, and how often each byte occurs. Returns the number of bytes. */
function readBytes(
  bits: BitReader,
  alphabet: Uint8Array,
  selectors: Uint8Array,
  tables: readonly HuffmanTable[],
  next: Uint32Array,
  counts: Uint32Array,
): number | undefined {
  const order = alphabet.slice();
  const end = alphabet.length + 1;
  let length = 0;
  let run = 0;
  let weight = 1;
  for (const selector of selectors) {
    const table = tables[selector]!;
    for (let index = 0; index < GROUP_SIZE; index++) {
      const symbol = table.read(bits);
      if (symbol === undefined) return undefined;
      if (symbol <= RUN_B) {
        run += weight << symbol; // digits 1 and 2, the lowest first
        weight <<= 1;
        if (run > next.length) return undefined;
        continue;
      }
      if (run > 0) {
        if (length + run > next.length) return undefined;
        next.fill(order[0]!, length, length + run);
        counts[order[0]!]! += run;
        length += run;
        run = 0;
        weight = 1;
      }
      if (symbol === end) return length;
      if (length === next.length) return undefined;
      const byte = moveToFront(order, symbol - 1);
      counts[byte]!++;
      next[length++] = byte;
    }
  }
  return undefined;
}

/** Undoes the Burrows-Wheeler transform: tells each entry which one follows. */
function linkEntries(next: Uint32Array, counts: Uint32Array, length: number): void {
  const places = new Uint32Array(256);
  for (let byte = 1; byte < 256; byte++) places[byte] = places[byte - 1]! + counts[byte - 1]!;
  for (let index = 0; index < length; index++) {
    const byte = next[index]! & 0xff;
    next[places[byte]!++]! |= index << 8;
  }
}

function moveToFront(order: Uint8Array, position: number): number {
  const value = order[position]!;
  order.copyWithin(1, 0, position);
  order[0] = value;
  return value;
}

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, index) => {
  let crc = index << 24;
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
  return crc;
});

function updateCrc(crc: number, bytes: Uint8Array, start: number, end: number): number {
  let value = crc;
  for (let index = start; index < end; index++) value = (value << 8) ^ CRC_TABLE[(value >>> 24) ^ bytes[index]!]!;
  return value;
}
