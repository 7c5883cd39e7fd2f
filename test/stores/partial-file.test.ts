import assert from 'node:assert/strict';
import {
  existsSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openPartialFile, PartialFile } from '../../src/stores/partial-file.ts';
import { temporaryDirectory } from '../support/local-store.ts';
import { bytes } from '../support/seeded.ts';
import { collect } from '../support/store-objects.ts';

const CONTENTS = bytes(3_000_000, { seed: 1 });
/** Smaller than what is written at once, larger, and the same. */
const CHUNK_SIZES = [1_000, 100_000, 2 ** 17, 2 ** 18, 2 ** 18 + 1, 1_000_000];

async function setUp(resources: AsyncDisposableStack): Promise<string> {
  return join(await temporaryDirectory(resources), 'part');
}

/** In chunks that are overwritten when they have been taken, as those of a socket are. */
function append(part: PartialFile, contents: Uint8Array, size: number): void {
  for (let start = 0; start < contents.length; start += size) {
    const chunk = contents.slice(start, start + size);
    part.append(chunk);
    chunk.fill(0);
  }
}

describe('a partial file', () => {
  for (const size of CHUNK_SIZES) {
    test(`keeps what came in chunks of ${size} bytes, and pours it again`, async () => {
      await using resources = new AsyncDisposableStack();
      const path = await setUp(resources);
      {
        using first = openPartialFile(path)!;
        append(first, CONTENTS.subarray(0, 2_000_000), size);
        assert.equal(first.length, 2_000_000);
      }
      {
        using second = openPartialFile(path)!;
        append(second, CONTENTS.subarray(2_000_000), size);
      }
      using third = openPartialFile(path)!;
      assert.equal(third.length, CONTENTS.length);
      assert.ok((await collect((sink) => third.replay(sink))).equals(CONTENTS));
    });
  }

  test('keeps chunks of mixed sizes in their order', async () => {
    await using resources = new AsyncDisposableStack();
    const path = await setUp(resources);
    {
      using part = openPartialFile(path)!;
      let start = 0;
      for (const size of [10, 2 ** 17, 200_000, 60_000, 5, 2 ** 18, 2 ** 17 - 1, 2 ** 17 - 1, 3, 0, 70_000]) {
        append(part, CONTENTS.subarray(start, start + size), size);
        start += size;
      }
    }
    const kept = readFileSync(path);
    assert.ok(kept.equals(CONTENTS.subarray(0, kept.length)));
    assert.equal(kept.length, 985_376);
  });

  test('has on disk all but the last quarter of a mebibyte, whenever its process is killed', async () => {
    await using resources = new AsyncDisposableStack();
    const path = await setUp(resources);
    using part = openPartialFile(path)!;
    append(part, CONTENTS, 1_000);
    assert.ok(readFileSync(path).length >= CONTENTS.length - 2 ** 18);
  });

  test('is for one at a time', async () => {
    await using resources = new AsyncDisposableStack();
    const path = await setUp(resources);
    const first = openPartialFile(path)!;
    assert.equal(openPartialFile(path), undefined);
    first[Symbol.dispose]();
    using second = openPartialFile(path);
    assert.ok(second);
  });

  test('leaves nothing when it is removed, and lets go', async () => {
    await using resources = new AsyncDisposableStack();
    const path = await setUp(resources);
    using part = openPartialFile(path)!;
    part.append(CONTENTS);
    part.remove();
    part.remove();
    assert.equal(existsSync(path), false);
    part.append(CONTENTS); // of no effect
    using next = openPartialFile(path)!;
    assert.equal(next.length, 0);
  });

  test('is given up where it cannot be written, and takes no more room', async () => {
    await using resources = new AsyncDisposableStack();
    const path = await setUp(resources);
    writeFileSync(path, 'what was there');
    using part = new PartialFile(path, openSync(path, 'r'), 14); // a descriptor that nothing can be written to
    append(part, CONTENTS, 1_000_000);
    assert.equal(existsSync(path), false);
    assert.equal(part.length, 0);
  });

  test('is done without where there is no directory, or something else has its name', async () => {
    await using resources = new AsyncDisposableStack();
    const path = await setUp(resources);
    assert.equal(openPartialFile(join(path, 'x')), undefined);
    writeFileSync(`${path}-target`, 'secret');
    symlinkSync(`${path}-target`, path);
    assert.equal(openPartialFile(path), undefined);
    assert.equal(readFileSync(`${path}-target`, 'utf8'), 'secret');
  });

  test('says so where it becomes shorter while it is read', async () => {
    await using resources = new AsyncDisposableStack();
    const path = await setUp(resources);
    writeFileSync(path, CONTENTS);
    using part = openPartialFile(path)!;
    const shortened = part.replay(() => truncateSync(path, 1));
    await assert.rejects(shortened, { code: 'ERR_STORE', message: /it became shorter/ });
  });

  test('stops reading when that is asked for', async () => {
    await using resources = new AsyncDisposableStack();
    const path = await setUp(resources);
    writeFileSync(path, CONTENTS);
    using part = openPartialFile(path)!;
    const aborter = new AbortController();
    let calls = 0;
    const stopped = part.replay(() => {
      calls++;
      aborter.abort();
    }, aborter.signal);
    await assert.rejects(stopped, { name: 'AbortError' });
    assert.equal(calls, 1);
  });

  test('waits for a sink that takes its time', async () => {
    await using resources = new AsyncDisposableStack();
    const path = await setUp(resources);
    writeFileSync(path, CONTENTS);
    using part = openPartialFile(path)!;
    let busy = 0;
    await part.replay(async () => {
      assert.equal(++busy, 1);
      await new Promise(setImmediate);
      busy--;
    });
  });

  test('is not the one that another name was given to meanwhile', async () => {
    await using resources = new AsyncDisposableStack();
    const path = await setUp(resources);
    using first = openPartialFile(path)!;
    linkSync(path, `${path}-held`);
    rmSync(path);
    using second = openPartialFile(path);
    assert.ok(second, 'a new file has the name');
    second.append(Buffer.from('x'));
    assert.equal(first.length, 0);
  });
});
