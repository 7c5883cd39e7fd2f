/** NARs: parsing from memory, unpacking into files, dumping from files; one of many small files, one of a few large. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bench } from 'tinybench';
import { NarParser, type NarVisitor } from '../src/formats/nar.ts';
import { dumpNar, NarRestorer } from '../src/stores/nar-fs.ts';
import { directory, file, narOf, type Tree } from '../test/support/trees.ts';

const CHUNK = 64 * 1024;
const tmp = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
process.on('exit', () => rmSync(tmp, { recursive: true, force: true }));

const files = (count: number, size: number): Tree =>
  directory(Object.fromEntries(Array.from({ length: count }, (_, i) => [`file-${i}`, file('x'.repeat(size))])));
const nars = {
  '2,000 files of 1 KiB': narOf(files(2_000, 1024)),
  '4 files of 16 MiB': narOf(files(4, 16 * 2 ** 20)),
};
const nothing: NarVisitor = {
  enterDirectory() {},
  leaveDirectory() {},
  file() {},
  contents() {},
  endFile() {},
  symlink() {},
};

function pour(nar: Buffer, push: (chunk: Buffer) => void): void {
  for (let at = 0; at < nar.length; at += CHUNK) push(nar.subarray(at, at + CHUNK));
}

function restore(nar: Buffer, destination: string): void {
  using restorer = new NarRestorer(destination);
  pour(nar, (chunk) => restorer.push(chunk));
  restorer.finish();
}

export const bench: Bench = new Bench({ name: 'nar', time: 1_000, warmupTime: 200 });

let count = 0;
for (const [name, nar] of Object.entries(nars)) {
  const kept = join(tmp, `kept ${name}`);
  restore(nar, kept);
  const again: Buffer[] = [];
  await dumpNar(kept, (chunk) => void again.push(Buffer.from(chunk)));
  assert.ok(Buffer.concat(again).equals(nar)); // never time a wrong answer

  const MiB = (nar.length / 2 ** 20).toFixed(0);
  let destination = '';
  bench
    .add(`parse ${name} (${MiB} MiB)`, () => {
      const parser = new NarParser(nothing);
      pour(nar, (chunk) => parser.push(chunk));
      parser.finish();
    })
    .add(`sha256 ${name}`, () => {
      const hash = createHash('sha256');
      pour(nar, (chunk) => hash.update(chunk));
      hash.digest();
    })
    .add(`restore ${name}`, () => restore(nar, destination), {
      beforeEach: () => {
        destination = join(tmp, `run-${count++}`);
      },
      afterEach: () => rmSync(destination, { recursive: true }),
    })
    .add(`dump ${name}`, () => dumpNar(kept, () => {}));
}
