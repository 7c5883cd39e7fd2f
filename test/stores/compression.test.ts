import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FormatError, UsageError } from '../../src/errors.ts';
import { hasLiblzma } from '../../src/stores/compression/liblzma.ts';
import { COMPRESSIONS, openDecoder, openEncoder } from '../../src/stores/compression.ts';
import { pump } from '../support/codecs.ts';
import { bytes } from '../support/seeded.ts';

const base64 = (text: string): Buffer => Buffer.from(text, 'base64');

/** Neither all noise nor all repetition: half a MiB. */
const MIXED = Buffer.concat(
  Array.from({ length: 64 }, (_, seed) => Buffer.concat([bytes(2_000, { seed }), Buffer.alloc(6_192, `text ${seed}`)])),
);

/** What is decoded natively where it can be, and otherwise by what npm has: both are tested on every machine. */
const DECODERS = [
  { compression: 'none', native: true },
  { compression: 'gzip', native: true },
  { compression: 'br', native: true },
  { compression: 'zstd', native: true },
  { compression: 'xz', native: true },
  { compression: 'xz', native: false },
  { compression: 'bzip2', native: true },
  { compression: 'bzip2', native: false },
] as const;
/** Why tests that need liblzma do not run, if so. */
const noLiblzma = hasLiblzma() ? false : 'no liblzma on this machine';
const nameOf = ({ compression, native }: { compression: string; native: boolean }): string =>
  native ? compression : `${compression} of npm`;

/** Made with bzip2 1.0.8: `bzip2 -1` of 30,000 lines, so of three blocks. */
const BZIP2_LINES = base64(
  'QlpoMTFBWSZTWf521M4AK2TBAAAQP8AgAHBBkxAmqgRnUoiWEoiWUoiWkoiW0oiXEoiXyURL9KIl1KIl4xQVkmU1n+dtTOACtkwQAAED/AIABw' +
    'QZMQJqoEZ1KIlhKIllKIlpKIltKIlxKIl8lES/SiJdSiJeMUFZJlNZ/3jMBgAeZcEAABA/wCAAcEGTECaqBGdiihiKKGYooaiihuKKHIoofRRQ' +
    '/iih2KKHhdyRThQkPpONqAA=',
);
const LINES = Buffer.from('abcdefgh\n'.repeat(30_000));
const BZIP2_HELLO = base64('QlpoOTFBWSZTWRkxZT0AAACBAAJEoAAhmmgzTQczi7kinChIDJiynoA=');
const BZIP2_EMPTY = base64('QlpoORdyRThQkAAAAAA=');
/** 30,000,000 zeros. */
const BZIP2_ZEROS = base64('QlpoOTFBWSZTWRkjKSIA5cfAAMAIAAggADDMCappgqEo2qqUJR4u5IpwoSAyRlJE');
/** 131,072 zeros: what comes out fills the buffer exactly when the stream ends. */
const BZIP2_128_KIB = base64('QlpoOTFBWSZTWbOzF34AAQHAAMAAAAggADCAKmlWALGAcXckU4UJCzsxd+A=');

async function encode(compression: string, input: Uint8Array): Promise<Buffer> {
  return pump((sink) => openEncoder(compression, sink), input);
}

/** A short file of each compression, and what it holds. */
const HELLO = Buffer.from('hello');
const SAMPLES = new Map<string, Buffer>([['bzip2', BZIP2_HELLO]]);
for (const compression of COMPRESSIONS) {
  if (!SAMPLES.has(compression)) SAMPLES.set(compression, await encode(compression, HELLO));
}

const isFormatError = (what: string) => (error: unknown) =>
  error instanceof FormatError && error.message.startsWith(`invalid ${what} at byte `);

for (const decoder of DECODERS) {
  const { compression, native } = decoder;
  const decode = (input: Uint8Array, chunkSize?: number): Promise<Buffer> =>
    pump((sink) => openDecoder(compression, sink, { native, what: 'file' }), input, chunkSize);
  const sample = SAMPLES.get(compression)!;

  describe(`the decoder of ${nameOf(decoder)}`, () => {
    test('reads chunks of any size', async () => {
      for (const chunkSize of [1, 2, 7, 1_000]) assert.deepEqual(await decode(sample, chunkSize), HELLO);
    });

    if (compression !== 'bzip2') {
      test('reads back what was encoded', async () => {
        for (const input of [MIXED, MIXED.subarray(0, 1), MIXED.subarray(0, 128 * 1024), MIXED.subarray(0, 0)]) {
          assert.deepEqual(await decode(await encode(compression, input), 4_000), input);
        }
      });
    }

    if (compression === 'none') return;

    test('rejects a file that is cut off, wherever that is', async () => {
      for (let length = 0; length < sample.length; length++) {
        await assert.rejects(decode(sample.subarray(0, length)), isFormatError('file'), `${length} bytes`);
      }
    });

    test('rejects bytes after the end', async () => {
      for (const garbage of [Buffer.from('garbage'), Buffer.alloc(3)]) {
        for (const chunkSize of [1, 1_000]) {
          await assert.rejects(decode(Buffer.concat([sample, garbage]), chunkSize), isFormatError('file'));
        }
      }
    });

    if (compression !== 'br') {
      test('reads several streams one after another', async () => {
        for (const chunkSize of [1, 5, sample.length, 1_000]) {
          assert.equal(
            (await decode(Buffer.concat([sample, sample, sample]), chunkSize)).toString(),
            'hellohellohello',
          );
        }
        const cut = Buffer.concat([sample, sample.subarray(0, -1)]);
        await assert.rejects(decode(cut), isFormatError('file'));
      });
    }

    test('survives whatever it is given', async () => {
      const broken = fc.record({ at: fc.nat(sample.length - 1), bits: fc.integer({ min: 1, max: 255 }) });
      await fc.assert(
        fc.asyncProperty(fc.array(broken, { minLength: 1, maxLength: 3 }), async (changes) => {
          const input = Buffer.from(sample);
          for (const { at, bits } of changes) input[at]! ^= bits;
          await decode(input).catch((error) => assert.ok(error instanceof FormatError, error));
        }),
      );
    });
  });
}

describe('the decoder of bzip2', () => {
  for (const native of [true, false]) {
    const decode = (input: Uint8Array, chunkSize?: number): Promise<Buffer> =>
      pump((sink) => openDecoder('bzip2', sink, { native }), input, chunkSize);

    test(`reads several blocks${native ? '' : ', without libbz2'}`, async () => {
      assert.deepEqual(await decode(BZIP2_LINES), LINES);
      assert.deepEqual(
        await decode(Buffer.concat([BZIP2_LINES, BZIP2_EMPTY, BZIP2_HELLO]), 100),
        Buffer.concat([LINES, HELLO]),
      );
    });

    test(`reads an empty stream and the longest runs${native ? '' : ', without libbz2'}`, async () => {
      assert.equal((await decode(BZIP2_EMPTY)).length, 0);
      assert.ok((await decode(BZIP2_ZEROS)).equals(Buffer.alloc(30_000_000)));
      assert.ok((await decode(BZIP2_128_KIB)).equals(Buffer.alloc(128 * 1024)));
    });

    test(`rejects a wrong checksum${native ? '' : ', without libbz2'}`, async () => {
      const input = Buffer.from(BZIP2_LINES);
      input[11]! ^= 1;
      await assert.rejects(decode(input), isFormatError('bzip2'));
    });
  }
});

describe('a codec', () => {
  for (const compression of ['none', 'gzip', 'br', 'zstd', 'xz', 'bzip2'] as const) {
    test(`of ${compression} returns no promise where the sink returns none`, {
      skip: compression === 'xz' && noLiblzma,
    }, () => {
      using decoder = openDecoder(compression, () => {});
      assert.equal(decoder.push(SAMPLES.get(compression)!), undefined);
      assert.equal(decoder.finish(), undefined);
    });
  }

  for (const compression of ['gzip', 'br', 'zstd', 'xz'] as const) {
    test(`of ${compression} hands out a bomb in chunks of at most 128 KiB`, async () => {
      const bomb = await encode(compression, Buffer.alloc(16 * 1024 * 1024));
      let length = 0;
      let largest = 0;
      using decoder = openDecoder(compression, (chunk) => {
        length += chunk.length;
        largest = Math.max(largest, chunk.length);
      });
      await decoder.push(bomb);
      assert.equal(length, 16 * 1024 * 1024); // nothing waits for what comes next
      await decoder.finish();
      assert.equal(largest, 128 * 1024);
    });

    test(`of ${compression} waits for the promises of the sink`, async () => {
      const file = await encode(compression, MIXED);
      const output: Buffer[] = [];
      let busy = false;
      using decoder = openDecoder(compression, async (chunk) => {
        assert.ok(!busy);
        busy = true;
        await new Promise(setImmediate);
        output.push(Buffer.from(chunk)); // still what it was: the buffer is not used again before this is done
        busy = false;
      });
      await decoder.push(file);
      await decoder.finish();
      assert.deepEqual(Buffer.concat(output), MIXED);
    });
  }

  for (const { compression, native } of DECODERS) {
    test(`passes on the error of the sink, ${nameOf({ compression, native })}`, async () => {
      const failure = new Error('disk full');
      for (const sink of [
        () => Promise.reject(failure),
        () => {
          throw failure;
        },
      ]) {
        const poured = pump(() => openDecoder(compression, sink, { native }), SAMPLES.get(compression)!);
        await assert.rejects(poured, failure);
      }
    });

    test(`is released early, and twice, without harm, ${nameOf({ compression, native })}`, async () => {
      const decoder = openDecoder(compression, () => {}, { native });
      await decoder.push(SAMPLES.get(compression)!.subarray(0, 4));
      decoder[Symbol.dispose]();
      decoder[Symbol.dispose]();
    });
  }

  test('of zstd has nothing left of a file that was cut off, nor of one that was given up', async () => {
    const file = await encode('zstd', MIXED);
    for (const length of [4, 1_000, file.length - 1]) {
      await assert.rejects(
        pump((sink) => openDecoder('zstd', sink), file.subarray(0, length)),
        FormatError,
      );
      const abandoned = openDecoder('zstd', () => {});
      await abandoned.push(file.subarray(0, length));
      abandoned[Symbol.dispose]();
      assert.deepEqual(await pump((sink) => openDecoder('zstd', sink), file, 999), MIXED);
    }
  });

  test('does not share its buffer with one whose sink still holds it', async () => {
    const file = await encode('gzip', HELLO);
    const { promise, resolve } = Promise.withResolvers<void>();
    let held: Uint8Array | undefined;
    const first = openDecoder('gzip', (chunk) => {
      held = chunk;
      return promise;
    });
    const poured = first.push(file);
    first[Symbol.dispose]();
    await pump((sink) => openDecoder('gzip', sink), await encode('gzip', Buffer.from('other')));
    assert.equal(Buffer.from(held!).toString(), 'hello');
    resolve();
    await poured;
  });
});

describe('memory', () => {
  /** `head -c 100 /dev/zero | xz --lzma2=dict=…`, xz 5.4.1. */
  const XZ_128_MIB = base64(
    '/Td6WFoAAATm1rRGAgAhAR4AAACbB1Fm4ABjAAZdAABuoEV4AAAAANpU80sOfGu8AAEiZEpW680ftvN9AQAAAAAEWVo=',
  );
  const XZ_256_MIB = base64(
    '/Td6WFoAAATm1rRGAgAhASAAAAAJiKV24ABjAAZdAABuoEV4AAAAANpU80sOfGu8AAEiZEpW680ftvN9AQAAAAAEWVo=',
  );
  /** A frame that asks for a window of 2^N bytes and holds `x`; RFC 8878, 3.1.1. */
  const zstdFrame = (windowLog: number): Buffer =>
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (windowLog - 10) << 3, 9, 0, 0, 0x78]);

  test('of 128 MiB is granted to xz, and no more', { skip: noLiblzma }, async () => {
    assert.deepEqual(await pump((sink) => openDecoder('xz', sink), XZ_128_MIB), Buffer.alloc(100));
    await assert.rejects(
      pump((sink) => openDecoder('xz', sink), XZ_256_MIB),
      /more memory than the limit/,
    );
  });

  test('of 128 MiB is granted to zstd, and no more', async () => {
    assert.equal((await pump((sink) => openDecoder('zstd', sink), zstdFrame(27))).toString(), 'x');
    await assert.rejects(
      pump((sink) => openDecoder('zstd', sink), zstdFrame(28)),
      isFormatError('zstd'),
    );
  });
});

describe('levels', () => {
  test('make files smaller', async () => {
    for (const [compression, fast, small] of [
      ['gzip', 1, 9],
      ['br', 0, 9],
      ['zstd', 1, 19],
      ['xz', 0, 9],
    ] as const) {
      const [large, little] = await Promise.all(
        [fast, small].map((level) => pump((sink) => openEncoder(compression, sink, { level }), MIXED)),
      );
      assert.ok(large!.length > little!.length, compression);
    }
  });

  for (const [compression, level] of [
    ['xz', 10],
    ['gzip', -1],
    ['zstd', 0],
    ['br', 1.5],
    ['none', 1],
  ] as const) {
    test(`${level} is none of ${compression}`, () => {
      assert.throws(() => openEncoder(compression, () => {}, { level }), UsageError);
    });
  }

  test('xz of npm is xz', async () => {
    const file = await pump((sink) => openEncoder('xz', sink, { level: 1, native: false }), MIXED);
    assert.deepEqual(await pump((sink) => openDecoder('xz', sink), file), MIXED);
  });
});

test('a compression that is not known is an error that lists those that are', () => {
  assert.throws(
    () => openDecoder('lz4', () => {}),
    (error) =>
      error instanceof FormatError &&
      error.message.includes("'lz4'") &&
      error.hint === 'known: none, xz, bzip2, gzip, zstd, br',
  );
  assert.throws(() => openEncoder('bzip2', () => {}), UsageError);
});
