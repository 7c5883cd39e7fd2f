/** A comparison from its beginning to its end: look what is there, measure row by row, report. */
import { join } from 'node:path';
import { describeError } from '../../src/cli/describe-error.ts';
import { makeScratch } from '../../test/support/scratch.ts';
import { type CorpusOnDisk, readNarInfos } from '../corpus/layout.ts';
import { nixClient, sluiceClient } from './clients.ts';
import { openCorpora } from './corpora.ts';
import { Floors } from './corpus-floor.ts';
import { measureGraphRow, measureTransferRow, type RowOptions } from './measure-row.ts';
import { cacheUrl, checkDelay, startServer } from './nginx.ts';
import type { PeersOptions } from './options.ts';
import { packSluice } from './package.ts';
import type { LeftOut, PeersReport, RowReport } from './report.ts';
import { DELAY, type Row, selectRows, type TransferRow } from './rows.ts';
import { describeMachine, findTools, missingTools, type Tools, whyNot } from './tools.ts';

export interface SessionOptions {
  readonly options: PeersOptions;
  /** Called with a sentence, now and then. */
  readonly tell: (sentence: string) => void;
  readonly signal: AbortSignal;
}

/** Measures what is asked for, or with `--check` sees whether it could. */
export async function runSession(session: SessionOptions): Promise<PeersReport> {
  const { options, tell } = session;
  const date = new Date().toISOString();
  const tools = await findTools();
  for (const line of missingTools(tools)) tell(line);
  const wanted = selectRows(options);
  const leftOut = wanted.flatMap((row) => whyNot(row, tools) ?? []);
  const transfers = wanted.filter((row) => row.kind === 'transfer').filter(isNotIn(leftOut));
  const corpora = await openCorpora(options.corpora, transfers, { make: !options.check, tell });
  leftOut.push(...corpora.leftOut);

  const rows = wanted.filter(isNotIn(leftOut));
  const measured = await measureAll(session, { tools, rows, corpora: corpora.found });
  leftOut.push(...measured.failed);
  const machine = await describeMachine(tools);
  return { date, machine, pairs: options.pairs, rows: measured.rows, leftOut };
}

interface Plan {
  readonly tools: Tools;
  readonly rows: readonly Row[];
  readonly corpora: ReadonlyMap<string, CorpusOnDisk>;
}

interface Measured {
  readonly rows: readonly RowReport[];
  readonly failed: readonly LeftOut[];
}

async function measureAll(session: SessionOptions, { tools, rows, corpora }: Plan): Promise<Measured> {
  const { options, tell, signal } = session;
  const done: RowReport[] = [];
  const failed: LeftOut[] = [];
  const transfers = rows.filter((row) => row.kind === 'transfer');
  await using scratch = await makeScratch(await roomFor(transfers, corpora));
  if (!scratch.path.startsWith('/dev/shm/')) tell(`/dev/shm has too little room: stores are made in ${scratch.path}`);
  await using resources = new AsyncDisposableStack();
  const server = transfers.length === 0 ? undefined : await openServer(session, tools, corpora, scratch.path);
  if (server !== undefined) resources.use(server);
  if (options.check) return { rows: done, failed };

  const { decoders } = tools;
  const base = {
    arena: {
      sluice: sluiceClient(await entryOf(session, transfers, scratch.path), join(scratch.path, 'home')),
      nix: tools.nix ? nixClient(join(scratch.path, 'nix-homes')) : undefined,
      scratch: scratch.path,
      signal,
    },
    floors: new Floors(scratch.path, decoders, signal),
    pairs: options.pairs,
    tell,
  };
  for (const row of rows) {
    signal.throwIfAborted();
    try {
      if (row.kind === 'graph') done.push(await measureGraphRow(row));
      else done.push(await measureTransferRow(row, { ...base, nginx: server!, corpus: corpora.get(row.corpus)! }));
    } catch (error) {
      signal.throwIfAborted();
      failed.push({ row: row.name, reason: describeError(error, { debug: false }), failed: true });
    }
  }
  return { rows: done, failed };
}

/** Starts the server, and sees that its delay is one. */
async function openServer(
  { options, tell }: SessionOptions,
  { echoModule }: Tools,
  corpora: ReadonlyMap<string, CorpusOnDisk>,
  scratch: string,
): Promise<RowOptions['nginx']> {
  await using opened = new AsyncDisposableStack();
  const server = opened.use(await startServer(options.corpora, join(scratch, 'nginx'), echoModule));
  const [corpus] = corpora.values();
  if (echoModule !== undefined && corpus !== undefined) {
    const took = await checkDelay(server, `${corpus.name}/top`);
    tell(`nginx answers at ${cacheUrl(server, '', DELAY)} after ${took.toFixed(1)} ms`);
  }
  opened.move();
  return server;
}

/** Undone with `scratch`; not needed where nothing is transferred. */
async function entryOf(
  { options, tell }: SessionOptions,
  transfers: readonly TransferRow[],
  scratch: string,
): Promise<string> {
  if (options.sluice !== undefined || transfers.length === 0) return options.sluice ?? '';
  tell('building and packing Sluice');
  return packSluice(join(scratch, 'package'));
}

/** Mebibytes for the largest closure: its store, and its NARs or a copy of its files. */
async function roomFor(rows: readonly TransferRow[], corpora: ReadonlyMap<string, CorpusOnDisk>): Promise<number> {
  const sizes = rows.map(async ({ corpus, compression }) => {
    const infos = await readNarInfos(corpora.get(corpus)!, compression);
    return infos.reduce((total, { narSize }) => total + narSize, 0);
  });
  return 16 + (2 * Math.max(0, ...(await Promise.all(sizes)))) / 2 ** 20;
}

function isNotIn(leftOut: readonly LeftOut[]): (row: Row) => boolean {
  return ({ name }) => leftOut.every(({ row }) => row !== name);
}
