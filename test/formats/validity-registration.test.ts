import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_STORE_DIR } from '../../src/formats/store-path.ts';
import { printRegistration, type Registration, RegistrationParser } from '../../src/formats/validity-registration.ts';

/** From `nix-store --dump-db` of Nix 2.8. */
const TEXT = `/nix/store/16f3pf70ldgs55c76qqgl7wz19i4fjzg-d
f7e0df3ff1d3c84ff9f1dd2a0b0a4a1b1b1a1c9e5f9a2d58b6b2c8f1f6ea9d31
176
/nix/store/z3fz5z59j3j1qd3wdka7mlxv4na2clvw-d.drv
2
/nix/store/16f3pf70ldgs55c76qqgl7wz19i4fjzg-d
/nix/store/kjwvf75z4qi9r1zffbcamhgzcna6mnxb-b
/nix/store/cmlvfx5f3b0x29a505z9d5y241zp511i-a
0f4f5f1e58b2f05a2b1b2a8ac6b7cce4ae5b8ee8cbe4be4dcfe8f62b5ab0c2d7
120

0
`;
const LINES = TEXT.split('\n');
const FIRST = LINES.slice(0, 7).join('\n');

function parse(text: string, size = text.length): Registration[] {
  const found: Registration[] = [];
  const parser = new RegistrationParser(DEFAULT_STORE_DIR, (registration) => found.push(registration));
  for (let start = 0; start < text.length; start += size) parser.push(Buffer.from(text.slice(start, start + size)));
  parser.finish();
  return found;
}

test('a registration text is read and printed as it was, in pieces of any size', () => {
  for (const size of [1, 2, 7, 64, TEXT.length]) {
    const found = parse(TEXT, size);
    assert.equal(found.map((each) => printRegistration(DEFAULT_STORE_DIR, each)).join(''), TEXT);
  }
});

test('an empty text registers nothing', () => assert.deepEqual(parse(''), []));

test('references are sorted, each once', () => {
  const [a, b] = [LINES[5], LINES[6]];
  const text = `${LINES.slice(0, 4).join('\n')}\n3\n${b}\n${a}\n${b}\n`;
  assert.deepEqual(
    parse(text)[0]?.references,
    [a, b].map((path) => path?.slice('/nix/store/'.length)),
  );
});

test('hashes are read in any spelling', () => {
  const [read] = parse(TEXT);
  const base64 = Buffer.from(read!.narHash.digest).toString('base64');
  assert.deepEqual(parse(FIRST.replace(LINES[1]!, base64).concat('\n'))[0]?.narHash, read?.narHash);
});

/** A change to the text, and why what it gives is none. */
const BROKEN = [
  [(text: string) => text.slice(0, -1), 'the last line has no end'],
  [(text: string) => text.slice(0, text.lastIndexOf('0')), 'a path ends early'],
  [(text: string) => text.replace('\n2\n', '\n-1\n'), 'a number is negative'],
  [(text: string) => text.replace('\n2\n', '\n99999999\n'), 'there are too many references'],
  [(text: string) => text.replace('\n2\n', '\n3\n'), 'a reference is no path'],
  [(text: string) => text.replace('\n176\n', '\nmany\n'), 'a size is no number'],
  [(text: string) => text.replace('f7e0', 'zzzz'), 'a hash is none'],
  [(text: string) => text.replace('/nix/store/', '/elsewhere/'), 'a path is elsewhere'],
  [(text: string) => `\n${text}`, 'a path is empty'],
  [(text: string) => text + 'x'.repeat(10_000), 'a line is too long'],
] as const;
for (const [change, why] of BROKEN) {
  test(`a text is rejected in which ${why}`, () => {
    assert.throws(() => parse(change(TEXT), 100), { code: 'ERR_FORMAT', format: 'registration' });
  });
}
