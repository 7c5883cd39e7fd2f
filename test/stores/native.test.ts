import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadKoffi, loadLibrary, Pin } from '../../src/stores/native.ts';

const VERSION = { lzma_version_number: 'uint32_t lzma_version_number()' } as const;
const needsLzma = { skip: loadLibrary('lzma', VERSION) === undefined ? 'there is no liblzma' : false };

describe('a library of the system', () => {
  test('has functions to call', needsLzma, () => {
    // 50020002 is 5.2.2, stable.
    const version = loadLibrary('lzma', VERSION)!.lzma_version_number();
    assert.equal(Math.floor(version / 10_000_000), 5);
  });

  test('reads and writes memory that is given to it', needsLzma, () => {
    const lzma = loadLibrary('lzma', {
      lzma_crc32: 'uint32_t lzma_crc32(const void *bytes, size_t size, uint32_t crc)',
    });
    const bytes = Buffer.from('-123456789').subarray(1);
    assert.equal(lzma!.lzma_crc32(bytes, bytes.length, 0), 0xcbf43926); // the check value of CRC-32
  });

  test('is as good as none where it lacks a function', () => {
    assert.equal(loadLibrary('lzma', { ...VERSION, lzma_nonsense: 'int lzma_nonsense()' }), undefined);
  });

  for (const platform of ['win32', 'darwin', 'aix']) {
    test(`is not there for ${platform}, and that is no error`, { skip: process.platform === platform }, ({ mock }) => {
      mock.property(process, 'platform', platform as NodeJS.Platform);
      for (const name of ['lzma', 'bz2', 'sodium'] as const) assert.equal(loadLibrary(name, VERSION), undefined);
    });
  }
});

describe('a pin', () => {
  test('tells where the bytes are, also those of a part', () => {
    const whole = Buffer.from('some bytes to look at');
    const [pin, other] = [new Pin(), new Pin()];
    const address = pin.hold(whole);
    assert.equal(other.hold(whole.subarray(5)), address + 5n);
    assert.deepEqual(loadKoffi().decode(address, 'uint8_t', 4), new Uint8Array(Buffer.from('some')));
  });

  test('holds one after another', () => {
    const pin = new Pin();
    const [first, second] = [new Uint8Array(10), new Uint8Array(10)];
    const address = pin.hold(first);
    assert.equal(pin.hold(first), address);
    assert.notEqual(pin.hold(second), address);
    pin.release();
    assert.equal(pin.hold(first), address);
  });
});
