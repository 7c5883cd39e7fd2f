/**
 * Taking outputs from a builder, with 500 paths that they may refer to: one file of 64 MiB, and 5,000 of 1 KiB in
 * directories of 50, whose metadata is not canonical yet. Beside it, reading the same files and hashing them with
 * sha256, and no more than that.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bench } from 'tinybench';
import { finishOutputs } from '../src/build/outputs/finish-outputs.ts';
import { hashBytes } from '../src/formats/hash.ts';
import { DEFAULT_STORE_DIR, makeStorePath, printStorePath, type StorePath } from '../src/formats/store-path.ts';
import type { BuiltOutput } from '../src/pool/messages.ts';
import { makeSettings } from '../src/settings.ts';
import { bytes } from '../test/support/seeded.ts';

const LARGE = 64 * 2 ** 20;
const SMALL = { directories: 100, files: 50, size: 1024 };
const CHUNK_SIZE = 128 * 1024;

const pathOf = (name: string): StorePath =>
  makeStorePath(DEFAULT_STORE_DIR, 'output:out', hashBytes('sha256', name), name);
const inputs = Array.from({ length: 500 }, (_, index) => pathOf(`input-${index}`));
const wanted = inputs[123]!;
const [drvPath, outPath] = [pathOf('test.drv'), pathOf('test')];

const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
process.on('exit', () => rmSync(dir, { recursive: true }));
const large = join(dir, 'large');
const small = join(dir, 'small');
const noise = bytes(2 ** 20, { seed: 1 });
const reference = Buffer.from(printStorePath(DEFAULT_STORE_DIR, wanted));
const contents = Buffer.alloc(LARGE, noise);
reference.copy(contents, LARGE / 2);
writeFileSync(large, contents);
for (let directory = 0; directory < SMALL.directories; directory++) {
  mkdirSync(join(small, String(directory)), { recursive: true });
  for (let file = 0; file < SMALL.files; file++) {
    const text = Buffer.alloc(SMALL.size, noise.subarray(directory * 1000 + file));
    if (directory === file) reference.copy(text, 100);
    writeFileSync(join(small, String(directory), String(file)), text);
  }
}

async function finish(location: string): Promise<BuiltOutput> {
  const { outputs } = await finishOutputs({
    request: {
      store: 'local',
      drvPath,
      derivation: {
        name: 'test',
        outputs: new Map([['out', { path: outPath }]]),
        inputSrcs: inputs,
        system: 'x86_64-linux',
        builder: '/bin/sh',
        args: [],
        env: new Map(),
      },
      inputPaths: inputs,
      graphs: {},
      outputs: [{ name: 'out', path: outPath }],
      staging: dir,
      mode: 'normal',
    },
    store: { storeDir: DEFAULT_STORE_DIR, realStoreDir: dir },
    produced: new Map([['out', location]]),
    rewrites: new Map(),
    buildUid: undefined,
    settings: makeSettings(),
    signal: new AbortController().signal,
  });
  return outputs[0]!;
}

function hashLarge(): void {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(CHUNK_SIZE);
  const fd = openSync(large, 'r');
  for (let read = -1; read !== 0; ) {
    read = readSync(fd, buffer);
    hash.update(buffer.subarray(0, read));
  }
  closeSync(fd);
  hash.digest();
}

function hashSmall(): void {
  const hash = createHash('sha256');
  for (const directory of readdirSync(small)) {
    for (const file of readdirSync(join(small, directory))) hash.update(readFileSync(join(small, directory, file)));
  }
  hash.digest();
}

/** As a builder leaves them. */
function soil(location: string): void {
  execFileSync('chmod', ['-R', 'u+w', location]);
  execFileSync('find', [location, '-exec', 'touch', '-h', '{}', '+']);
}

export const bench: Bench = new Bench({
  name: `outputs: ${LARGE / 2 ** 20} MiB, ${SMALL.directories * SMALL.files} files`,
  iterations: 15,
  time: 0,
  warmupIterations: 2,
  warmupTime: 0,
});
for (const location of [large, small]) {
  assert.deepEqual((await finish(location)).info.references, [wanted]); // never time a wrong answer
}
bench
  .add('take one large file', () => finish(large), { beforeEach: () => soil(large) })
  .add('read it, sha256', hashLarge)
  .add('take small files', () => finish(small), { beforeEach: () => soil(small) })
  .add('read them, sha256', hashSmall);
