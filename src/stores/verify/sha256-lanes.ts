/**
 * sha256 of two streams at once on one core: the processor's instructions for it wait for each other within a stream,
 * and not between two, so both together take two thirds of the time. OpenSSL has that for TLS, and Node exports it, but
 * it is no public interface: it is used only where it is known to be what it was, and to come to the right results.
 *
 * Source: OpenSSL 3.5 crypto/sha/asm/sha256-mb-x86_64.pl, sha512-x86_64.pl; FIPS 180-4, 5.1.1 and 5.3.3.
 */
import { hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { loadKoffi } from '../native.ts';

export const BLOCK = 64;
/** Of either stream. */
export type Lane = 0 | 1;

const START = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19] as const;
const WORDS = START.length;
/** OpenSSL's state has the first word of eight streams, then the second of all of them, and so on. */
const STREAMS = 8;
/** Streams that are looked at; two of them have nothing to hash. */
const DESCRIBED = 4;
/** Words of OpenSSL's SHA256_CTX, of which a stream alone uses the first eight. */
const CONTEXT_WORDS = 28;

interface Functions {
  readonly two: (state: Uint32Array, descriptors: BigUint64Array, fours: number) => void;
  readonly one: (context: Uint32Array, blocks: bigint, count: number) => void;
}

export class Sha256Lanes {
  readonly #functions: Functions;
  readonly #state = new Uint32Array(WORDS * STREAMS);
  /** Of each stream its address, and how many blocks there are. */
  readonly #descriptors = new BigUint64Array(DESCRIBED * 2);
  readonly #context = new Uint32Array(CONTEXT_WORDS);
  readonly #addresses: readonly [bigint, bigint];

  /**
   * Use {@link openLanes}.
   *
   * @param buffers - whose memory stays where it is; they must live as long as this.
   */
  constructor(functions: Functions, buffers: readonly [Uint8Array, Uint8Array]) {
    const koffi = loadKoffi();
    this.#functions = functions;
    this.#addresses = [koffi.address(buffers[0]), koffi.address(buffers[1])];
  }

  /** A stream begins. */
  start(lane: Lane): void {
    for (const [word, value] of START.entries()) this.#state[word * STREAMS + lane] = value;
  }

  /** Hashes so many blocks of both streams, which begin there in their buffers. */
  update(starts: readonly [number, number], blocks: number): void {
    const count = BigInt(blocks);
    this.#descriptors[0] = this.#addresses[0] + BigInt(starts[0]);
    this.#descriptors[1] = count;
    this.#descriptors[2] = this.#addresses[1] + BigInt(starts[1]);
    this.#descriptors[3] = count;
    this.#functions.two(this.#state, this.#descriptors, 1);
  }

  /** Hashes so many blocks of one stream: faster than both where the other has none. */
  updateOne(lane: Lane, start: number, blocks: number): void {
    for (let word = 0; word < WORDS; word++) this.#context[word] = this.#state[word * STREAMS + lane]!;
    this.#functions.one(this.#context, this.#addresses[lane] + BigInt(start), blocks);
    for (let word = 0; word < WORDS; word++) this.#state[word * STREAMS + lane] = this.#context[word]!;
  }

  /** The hash of a stream that has ended. */
  digest(lane: Lane): Uint8Array {
    const digest = Buffer.alloc(WORDS * 4); // not out of the pool, all of which would be copied to another thread
    for (let word = 0; word < WORDS; word++) digest.writeUInt32BE(this.#state[word * STREAMS + lane]!, word * 4);
    return digest;
  }
}

/** What follows a stream of that many bytes, up to the end of a block: at most 72 bytes. */
export function paddingOf(bytes: number): Uint8Array {
  const length = 1 + ((2 * BLOCK - 9 - (bytes % BLOCK)) % BLOCK) + 8;
  const padding = Buffer.alloc(length);
  padding[0] = 0x80;
  padding.writeBigUInt64BE(BigInt(bytes) * 8n, length - 8);
  return padding;
}

let functions: Functions | undefined | false;

/**
 * Opens two lanes.
 *
 * @param buffers - as in the constructor.
 * @returns undefined where this machine or this Node has them not, or would have nothing of them.
 */
export function openLanes(buffers: readonly [Uint8Array, Uint8Array]): Sha256Lanes | undefined {
  functions ??= bind() ?? false;
  return functions === false ? undefined : new Sha256Lanes(functions, buffers);
}

/** Only where the layouts above are OpenSSL's, and the processor has the instructions: without, two take twice as long. */
function bind(): Functions | undefined {
  const isKnown = process.platform === 'linux' && process.arch === 'x64' && process.versions.openssl?.startsWith('3.');
  if (!isKnown || !hasInstructions()) return undefined;
  try {
    const library = loadKoffi().load(null);
    const found: Functions = {
      two: library.func('void sha256_multi_block(void *state, void *descriptors, int fours)'),
      one: library.func('void sha256_block_data_order(void *state, void *blocks, size_t count)'),
    };
    return isRight(found) ? found : undefined;
  } catch {
    return undefined; // a Node that uses the system's OpenSSL, which keeps them to itself
  }
}

/** The flags of the first processor are near the beginning. */
function hasInstructions(): boolean {
  using opened = new DisposableStack();
  try {
    const fd = opened.adopt(openSync('/proc/cpuinfo', 'r'), closeSync);
    const text = Buffer.alloc(4096);
    return / sha_ni /.test(text.toString('latin1', 0, readSync(fd, text)));
  } catch {
    return false;
  }
}

/** Whether they hash as node:crypto does: both lanes together, and each alone. */
function isRight(found: Functions): boolean {
  const texts = [200, 519].map((length, lane) => Buffer.from(Array.from({ length }, (_, i) => (i * (7 + lane)) % 251)));
  const [first, second] = texts.map((text) => Buffer.concat([text, paddingOf(text.length)])) as [Buffer, Buffer];
  const lanes = new Sha256Lanes(found, [first, second]);
  lanes.start(0);
  lanes.start(1);
  const together = 3;
  lanes.update([0, 0], together);
  for (const [lane, { length }] of [first, second].entries()) {
    lanes.updateOne(lane as Lane, together * BLOCK, length / BLOCK - together);
  }
  return texts.every((text, lane) => hash('sha256', text, 'buffer').equals(lanes.digest(lane as Lane)));
}
