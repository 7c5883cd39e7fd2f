import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stallFloor, wholeFloor } from '../../../src/stores/http/floors.ts';

const SETTINGS = { connectTimeout: 15, narinfoTimeout: 30, stalledDownloadTimeout: 300 };
const IMPATIENT = { impatient: true };

/** The setting whose time counts. */
for (const [why, settings, patient, impatient] of [
  ['the connection counts for those who could ask another cache', {}, ['narinfo', 'stalled-download'], 'connect'],
  ['no time for it leaves the others', { connectTimeout: 0 }, ['narinfo', 'stalled-download'], undefined],
] as const) {
  test(`the time for ${why}`, () => {
    const all = { ...SETTINGS, ...settings };
    assert.deepEqual(
      [wholeFloor(all), stallFloor(all)].map(({ setting }) => setting),
      patient.map((name) => `${name}-timeout`),
    );
    const floors = [wholeFloor(all, IMPATIENT), stallFloor(all, IMPATIENT)];
    const expected = impatient === undefined ? patient : [impatient, impatient];
    assert.deepEqual(
      floors.map(({ setting }) => setting),
      expected.map((name) => `${name}-timeout`),
    );
  });
}

test('a small file never has more time because somebody could ask another cache', () => {
  assert.equal(wholeFloor({ ...SETTINGS, narinfoTimeout: 5 }, IMPATIENT).seconds, 5);
  assert.equal(wholeFloor({ ...SETTINGS, narinfoTimeout: 0 }, IMPATIENT).seconds, 15);
});

test('a cache that is slow is left only where another one could be asked', () => {
  for (const floor of [stallFloor, wholeFloor]) {
    assert.equal(floor(SETTINGS).bytesPerSecond, 1);
    assert.equal(floor(SETTINGS, IMPATIENT).bytesPerSecond, 1024);
  }
});
