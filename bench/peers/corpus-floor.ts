/** The floor of a row: its parts depend on corpus and compression only, so each is measured once. */
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { NarInfo } from '../../src/formats/narinfo.ts';
import { DEFAULT_STORE_DIR, parseStorePath } from '../../src/formats/store-path.ts';
import { dumpNar } from '../../src/stores/nar-fs.ts';
import { removeTree } from '../../src/stores/remove-tree.ts';
import { type CorpusOnDisk, cacheName, hasCache, readNarInfos } from '../corpus/layout.ts';
import { countRoundTrips, type NarFile, timeDecoding, timeHashing, timeWriting } from './floor.ts';
import type { Floor } from './report.ts';
import type { TransferRow } from './rows.ts';

export interface FloorSubject {
  readonly row: TransferRow;
  readonly corpus: CorpusOnDisk;
  /** What its cache says of the corpus. */
  readonly infos: readonly NarInfo[];
  /** A store directory that has the corpus, in the file system that is measured. */
  readonly storeDirectory: string;
}

export class Floors {
  readonly #scratch: string;
  readonly #decoders: ReadonlySet<string>;
  readonly #signal: AbortSignal;
  readonly #parts = new Map<string, Promise<number>>();

  /**
   * @param scratch - a directory in the file system that is measured.
   * @param decoders - the compressions that there is a program for.
   */
  constructor(scratch: string, decoders: ReadonlySet<string>, signal: AbortSignal) {
    this.#scratch = scratch;
    this.#decoders = decoders;
    this.#signal = signal;
  }

  async measure(subject: FloorSubject): Promise<Floor> {
    const { row, corpus, infos } = subject;
    const { compression, delay } = row;
    const top = parseStorePath(DEFAULT_STORE_DIR, corpus.top);
    return {
      decode: compression === 'none' ? 0 : await this.#decode(subject),
      hash: await this.#once(`${corpus.name} hash`, () => this.#hash(subject)),
      write: await this.#once(`${corpus.name} write`, () => this.#write(subject)),
      wait: (countRoundTrips(infos, top) * delay) / 1000,
    };
  }

  async #decode({ row: { compression }, corpus, infos }: FloorSubject): Promise<number | undefined> {
    if (!this.#decoders.has(compression)) return undefined;
    const files = narFiles(corpus, compression, infos);
    return this.#once(`${corpus.name} ${compression}`, () => timeDecoding(files, compression, this.#signal));
  }

  async #hash({ corpus, infos, storeDirectory }: FloorSubject): Promise<number> {
    if (await hasCache(corpus, 'none')) {
      return timeHashing(narFiles(corpus, 'none', await readNarInfos(corpus, 'none')));
    }
    const directory = join(this.#scratch, 'nars');
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => removeTree(directory));
    await mkdir(directory);
    for (const { path } of infos) await dumpToFile(join(storeDirectory, path), join(directory, path));
    return await timeHashing(infos.map(({ path, narSize }) => ({ file: join(directory, path), size: narSize })));
  }

  #write({ infos, storeDirectory }: FloorSubject): Promise<number> {
    const objects = infos.map(({ path, narSize }) => ({ location: join(storeDirectory, path), size: narSize }));
    return timeWriting(objects, join(this.#scratch, 'copies'), this.#signal);
  }

  #once(key: string, work: () => Promise<number>): Promise<number> {
    this.#signal.throwIfAborted();
    const known = this.#parts.get(key);
    if (known !== undefined) return known;
    const measured = work();
    this.#parts.set(key, measured);
    return measured;
  }
}

/** The files of a cache. Paths with equal contents share one, which then counts as often as it is fetched. */
function narFiles({ directory }: CorpusOnDisk, compression: string, infos: readonly NarInfo[]): NarFile[] {
  return infos.map(({ url, fileSize, narSize }) => {
    return { file: join(directory, cacheName(compression), url), size: fileSize ?? narSize };
  });
}

async function dumpToFile(location: string, file: string): Promise<void> {
  const stream = createWriteStream(file, { flags: 'wx' });
  await dumpNar(
    location,
    (chunk) =>
      new Promise<void>((resolve, reject) => stream.write(chunk, (error) => (error ? reject(error) : resolve()))),
  );
  await new Promise<void>((resolve) => stream.end(() => resolve()));
}
