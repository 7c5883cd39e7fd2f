/**
 * Narinfo files as caches answer them: parsing, spelling the fingerprint, and verifying one signature of each. The last
 * is done in Node's thread pool: one after the other it is what a path waits, side by side what a closure costs.
 */
import assert from 'node:assert/strict';
import { Bench } from 'tinybench';
import { hashBytes } from '../src/formats/hash.ts';
import { type NarInfo, parseNarInfo, printNarInfo } from '../src/formats/narinfo.ts';
import { fingerprint } from '../src/formats/path-info.ts';
import {
  makeSecretKey,
  printPublicKey,
  publicKeyMap,
  publicKeyOf,
  sign,
  verifySignature,
} from '../src/formats/signature.ts';
import { DEFAULT_STORE_DIR, makeStorePath, type StorePath } from '../src/formats/store-path.ts';

const COUNT = 100;
const REFERENCES = 8;

const pathOf = (name: string): StorePath => makeStorePath(DEFAULT_STORE_DIR, 'source', hashBytes('sha256', name), name);

const key = await makeSecretKey('bench-1', new Uint8Array(32).fill(1));
const keys = publicKeyMap([printPublicKey(publicKeyOf(key))]);

async function makeNarInfo(id: number): Promise<NarInfo> {
  const references = Array.from({ length: REFERENCES }, (_, nth) => pathOf(`library-${id * 7 + nth}-1.0`)).sort();
  const info = {
    path: pathOf(`package-${id}-2.0`),
    narHash: hashBytes('sha256', `nar-${id}`),
    narSize: 1_234_567 + id,
    references,
    deriver: pathOf(`package-${id}-2.0.drv`),
    signatures: [],
    url: `nar/${id}.nar.xz`,
    compression: 'xz',
    fileHash: hashBytes('sha256', `file-${id}`),
    fileSize: 345_678 + id,
  };
  return { ...info, signatures: [await sign(key, fingerprint(DEFAULT_STORE_DIR, info))] };
}

const infos = await Promise.all(Array.from({ length: COUNT }, (_, id) => makeNarInfo(id)));
const texts = infos.map((info) => printNarInfo(DEFAULT_STORE_DIR, info));
const verify = (info: NarInfo): Promise<boolean> =>
  verifySignature(fingerprint(DEFAULT_STORE_DIR, info), info.signatures[0]!, keys);

// Never time a wrong answer.
assert.deepEqual(
  texts.map((text) => printNarInfo(DEFAULT_STORE_DIR, parseNarInfo(DEFAULT_STORE_DIR, text))),
  texts,
);
assert.ok((await Promise.all(infos.map(verify))).every(Boolean));
assert.ok(!(await verify({ ...infos[0]!, narSize: 1 })));

export const bench: Bench = new Bench({
  name: `narinfo, ${COUNT} with ${REFERENCES} references a round`,
  time: 500,
  warmupTime: 100,
})
  .add('parse', () => {
    for (const text of texts) parseNarInfo(DEFAULT_STORE_DIR, text);
  })
  .add('print', () => {
    for (const info of infos) printNarInfo(DEFAULT_STORE_DIR, info);
  })
  .add('fingerprint', () => {
    for (const info of infos) fingerprint(DEFAULT_STORE_DIR, info);
  })
  .add('verify a signature, one after the other', async () => {
    for (const info of infos) await verify(info);
  })
  .add('verify a signature, side by side', async () => {
    await Promise.all(infos.map(verify));
  });
