import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  countPaths,
  formatBytes,
  formatBytesOf,
  formatDuration,
  formatRate,
  formatSeconds,
} from '../../../src/cli/progress/units.ts';

const SIZES = [
  [0, '0 B'],
  [352, '352 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [102_300, '99.9 KiB'],
  [102_400, '100 KiB'],
  [1_048_050, '1023 KiB'],
  [1_048_100, '1.0 MiB'],
  [154_198_096, '147 MiB'],
  [3.5 * 2 ** 30, '3.5 GiB'],
  [2 ** 60, '1024 PiB'],
] as const;

for (const [bytes, text] of SIZES) test(`${bytes} bytes are ${text}`, () => assert.equal(formatBytes(bytes), text));

test('a part of a size has the unit of the whole', () => {
  assert.equal(formatBytesOf(512 * 1024, 147 * 2 ** 20), '0.5/147 MiB');
  assert.equal(formatBytesOf(10, 352), '10/352 B');
});

test('a part of an unknown size stands alone', () => assert.equal(formatBytesOf(2048, undefined), '2.0 KiB'));

test('a rate is a size a second', () => assert.equal(formatRate(45.2 * 2 ** 20), '45.2 MiB/s'));

const DURATIONS = [
  [3, '3 ms'],
  [212, '0.21 s'],
  [996, '1.0 s'],
  [8540, '8.5 s'],
  [9960, '10 s'],
  [59_600, '1 min 00 s'],
  [185_000, '3 min 05 s'],
  [7_620_000, '2 h 07 min'],
] as const;

for (const [milliseconds, text] of DURATIONS) {
  test(`${milliseconds} milliseconds are ${text}`, () => assert.equal(formatDuration(milliseconds), text));
}

test('whole seconds have no fraction', () => assert.equal(formatSeconds(5), '5 s'));

test('one path is not paths', () => assert.deepEqual([countPaths(1), countPaths(0)], ['1 path', '0 paths']));
