import assert from 'node:assert/strict';
import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, test } from 'node:test';
import { type FreeSpace, queryFreeSpace, type SpaceClaim, SpaceClaims } from '../../src/stores/free-space.ts';
import { MEBIBYTE, noTmpfs, Tmpfs } from '../support/tmpfs.ts';

/** Claims to a disk that says at each look what comes next, and what it said last from then on. */
function makeClaims(...looks: (number | FreeSpace | undefined)[]) {
  let looked = 0;
  const waits: (() => void)[] = [];
  const claims = new SpaceClaims({
    directory: '/nix/store',
    query: async () => {
      const space = looks[Math.min(looked++, looks.length - 1)];
      return typeof space === 'number' ? { free: space, isExact: true } : space;
    },
    wait: async () => void waits.shift()?.(),
  });
  const claim = (size: number, makeRoom?: (needed: number) => Promise<void>): Promise<SpaceClaim> =>
    claims.claim({ subject: `'${size}'`, size, makeRoom });
  return { claim, waits, looked: () => looked };
}

const refused = { code: 'ERR_STORE', message: /^no room for '\d+': it needs \d+ bytes, and \d+ are free/, hint: /gc/ };

describe('room on a disk', () => {
  test('is asked for once, as long as there is enough', async () => {
    const { claim, looked } = makeClaims(100);
    await Promise.all([claim(30), claim(30), claim(40)]);
    assert.equal(looked(), 1);
  });

  test('is refused to those for whom nothing is left, with what is needed, free and claimed', async () => {
    const { claim } = makeClaims(100);
    await claim(60);
    await assert.rejects(claim(50), {
      code: 'ERR_STORE',
      message:
        "no room for '50': it needs 50 bytes, and 100 are free on the file system of '/nix/store', of which running transfers need 60",
    });
    await claim(40);
  });

  test('comes back when a claim is disposed, and as far as it has been used', async () => {
    const { claim } = makeClaims(100, 100, 40);
    const first = await claim(60);
    first.written(60); // the next look sees it, too
    await claim(100);
    first[Symbol.dispose]();
    await assert.rejects(claim(60), refused);
  });

  test('is not refused while what has been written before a look is only told later', async () => {
    const { claim, waits } = makeClaims(100, 40, 40);
    const first = await claim(60);
    // All of it was written before the second look.
    waits.push(() => first.written(60));
    await claim(40);
  });

  test('is not refused where a transfer that takes it has ended meanwhile', async () => {
    const { claim, waits } = makeClaims(100);
    const first = await claim(60);
    waits.push(() => first[Symbol.dispose]());
    await claim(90);
  });

  test('is made first where that is possible, once', async () => {
    const { claim } = makeClaims(10, 10, 100);
    await claim(10);
    const asked: number[] = [];
    await claim(50, async (needed) => void asked.push(needed));
    assert.deepEqual(asked, [60]);
    await assert.rejects(
      claim(50, async (needed) => void asked.push(needed)),
      refused,
    );
    assert.deepEqual(asked, [60, 110]);
  });

  for (const [why, space] of [
    ['the file system does not tell', undefined],
    ['files may need less than they hold', { free: 10, isExact: false }],
  ] as const) {
    test(`is never refused where ${why}`, async () => {
      const { claim } = makeClaims(space);
      await claim(1e15);
      await claim(1e15);
    });
  }

  test('is there for what is only of use where it leaves others what they need, or lies on another disk', async () => {
    const claims = new SpaceClaims({ directory: tmpdir(), query: async () => ({ free: 100, isExact: true }) });
    assert.equal(await claims.hasRoomBeside(tmpdir(), 100), true);
    using claim = await claims.claim({ subject: 'x', size: 60 });
    assert.equal(await claims.hasRoomBeside(tmpdir(), 41), false);
    assert.equal(await claims.hasRoomBeside('/proc', 100), true);
    claim.written(20);
    assert.equal(await claims.hasRoomBeside(tmpdir(), 60), true);
  });

  test('of no bytes is there even where others have taken more than there is', async () => {
    const { claim } = makeClaims(100, 0);
    await claim(100);
    await claim(0);
  });
});

describe('what is free', () => {
  test('is what statfs(2) says', async () => {
    const { bsize, blocks } = statfsSync(tmpdir());
    const space = await queryFreeSpace(tmpdir());
    assert.ok(space !== undefined && space.free > 0 && space.free <= blocks * bsize);
  });

  test('is not known of a file system that says it has no blocks, and of what is not there', async () => {
    assert.equal(statfsSync('/proc').blocks, 0);
    assert.equal(await queryFreeSpace('/proc'), undefined);
    assert.equal(await queryFreeSpace('/no/such/directory'), undefined);
  });

  test('is exact on a disk in memory', { skip: noTmpfs }, async () => {
    await using disk = Tmpfs.mount({ size: MEBIBYTE });
    disk.fill(MEBIBYTE / 4);
    assert.deepEqual(await queryFreeSpace(disk.path), { free: MEBIBYTE / 4, isExact: true });
  });
});
