import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { EngineCodec } from '../../../src/stores/compression/codec.ts';
import { openBz2Encoder } from '../../../src/stores/compression/libbz2-encoder.ts';
import { openDecoder } from '../../../src/stores/compression.ts';
import { needs } from '../../support/run.ts';
import { bytes } from '../../support/seeded.ts';

const missing = openBz2Encoder(1) === undefined && 'this machine has no libbz2';

function encode(input: Uint8Array, step: number, level: number): Buffer {
  const chunks: Buffer[] = [];
  using encoder = new EngineCodec(openBz2Encoder(level)!, (chunk) => void chunks.push(Buffer.from(chunk)), 'test');
  for (let start = 0; start < input.length; start += step) encoder.push(input.subarray(start, start + step));
  encoder.finish();
  return Buffer.concat(chunks);
}

function decode(input: Uint8Array): Buffer {
  const chunks: Buffer[] = [];
  using decoder = openDecoder('bzip2', (chunk) => void chunks.push(Buffer.from(chunk)));
  decoder.push(input);
  decoder.finish();
  return Buffer.concat(chunks);
}

const text = Buffer.from('a line of a log, and another one\n'.repeat(30_000));
const INPUTS = {
  nothing: new Uint8Array(0),
  'one byte': Buffer.from('x'),
  'text of several blocks': text,
  'noise, which gets longer': Buffer.from(bytes(500_000, { seed: 9 })),
};

describe('writing bzip2', { skip: missing }, () => {
  for (const [what, input] of Object.entries(INPUTS)) {
    test(`is undone by reading it: ${what}`, () => {
      for (const level of [1, 9]) assert.ok(decode(encode(input, 10_007, level)).equals(input));
    });
  }

  test('comes to the same bytes however the input is cut', () => {
    const input = text.subarray(0, 5_000);
    assert.deepEqual(encode(input, 1, 1), encode(input, input.length, 1));
  });

  test('is what bzip2 reads', needs('bzip2'), () => {
    const found = execFileSync('bzip2', ['-d'], { input: encode(text, 65_536, 1), maxBuffer: 2 ** 24 });
    assert.ok(found.equals(text));
  });
});
