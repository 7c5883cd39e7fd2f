import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TraceEvent } from '../../../src/cli/trace/trace-event.ts';
import { TraceFile } from '../../../src/cli/trace/trace-file.ts';
import { UsageError } from '../../../src/errors.ts';
import { makeScratch } from '../../support/scratch.ts';

const event = (name: string): TraceEvent => ({ ph: 'C', name, pid: 1, tid: 1, ts: 0, args: { value: 1 } });

test('events become one JSON array, an event a line', async () => {
  await using scratch = await makeScratch();
  const name = join(scratch.path, 'trace.json');
  using file = new TraceFile(name);
  file.put(event('a'));
  file.put(event('"é"'));
  file[Symbol.dispose]();
  const text = readFileSync(name, 'utf8');
  assert.deepEqual(JSON.parse(text), [event('a'), event('"é"')]);
  assert.equal(text.split('\n').length, 5);
});

test('no events are an empty array, and replace what the file held', async () => {
  await using scratch = await makeScratch();
  const name = join(scratch.path, 'trace.json');
  for (const events of [[event('a')], []]) {
    using file = new TraceFile(name);
    for (const each of events) file.put(each);
    file[Symbol.dispose]();
    file[Symbol.dispose]();
    assert.deepEqual(JSON.parse(readFileSync(name, 'utf8')), events);
  }
});

test('it is written as it grows', async () => {
  await using scratch = await makeScratch();
  const name = join(scratch.path, 'trace.json');
  using file = new TraceFile(name);
  let written = 0;
  for (let count = 0; count < 10_000; count++) {
    const line = event('x'.repeat(100));
    file.put(line);
    written += JSON.stringify(line).length;
    if (count % 1_000 === 0) assert.ok(written - statSync(name).size < 70_000, 'no more than 64 KiB are kept');
  }
});

test('what is put after the end is dropped', async () => {
  await using scratch = await makeScratch();
  const name = join(scratch.path, 'trace.json');
  using file = new TraceFile(name);
  file[Symbol.dispose]();
  for (let count = 0; count < 1_000; count++) file.put(event('x'.repeat(1_000)));
  assert.deepEqual([JSON.parse(readFileSync(name, 'utf8')), file.problem], [[], undefined]);
});

test('a file that cannot be opened is an error that names it', async () => {
  await using scratch = await makeScratch();
  const name = join(scratch.path, 'missing/trace.json');
  assert.throws(
    () => new TraceFile(name),
    (error) => error instanceof UsageError && error.message.startsWith(`cannot write trace '${name}': ENOENT`),
  );
});

test('a disk that is full ends the trace, not the one who tells', { skip: process.platform !== 'linux' }, () => {
  using file = new TraceFile('/dev/full');
  for (let count = 0; count < 2_000; count++) file.put(event('x'.repeat(100)));
  file[Symbol.dispose]();
  assert.match(file.problem!.message, /^cannot write trace '\/dev\/full': ENOSPC/);
});
