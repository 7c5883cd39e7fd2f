/**
 * Three caches, of which one is dead, one slow and one good, in every order: whatever is wrong with the dead one, a run
 * takes what it needs from the others, and hardly longer than from the good one alone.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { hashPart } from '../../src/formats/store-path.ts';
import type { Settings } from '../../src/settings.ts';
import { FaultServer, type FaultServerOptions, serveFaults } from '../support/fault-server.ts';
import type { Fault, FaultPlan } from '../support/faults.ts';
import { layeredCache } from '../support/layered-cache.ts';
import { makeScratch } from '../support/scratch.ts';
import { runFrom } from '../support/substituter-runs.ts';
import { makeCertificate } from '../support/test-certificate.ts';

/** In seconds. */
const CONNECT_TIMEOUT = 1;
/** For what else this machine is doing, in milliseconds. */
const SLACK = 500;
/** A run that takes too long is compared with the good cache alone once more, then repeated: so often at most. */
const ATTEMPTS = 5;

type Role = 'dead' | 'slow' | 'good';

const ORDERS: readonly (readonly Role[])[] = [
  ['dead', 'slow', 'good'],
  ['slow', 'dead', 'good'],
  ['dead', 'good', 'slow'],
  ['slow', 'good', 'dead'],
  ['good', 'dead', 'slow'],
  ['good', 'slow', 'dead'],
];

/** What is wrong with a cache. */
interface Trouble {
  readonly name: string;
  readonly plan?: FaultPlan;
  readonly options?: FaultServerOptions;
  readonly refuses?: boolean;
  /** Whether a client that resumes gets everything in the end. */
  readonly resumable?: boolean;
}

/** @param faults - of which each file has one, in turns. */
function onNarInfos(name: string, ...faults: readonly Fault[]): Trouble {
  return { name: `for narinfos: ${name}`, plan: inTurns(faults, (file) => file.endsWith('.narinfo')) };
}

function onNars(name: string, ...faults: readonly Fault[]): Trouble {
  const resumable = faults.some(({ kind, ...fault }) => (kind === 'reset' || kind === 'close') && 'after' in fault);
  return { name: `for NARs: ${name}`, plan: inTurns(faults, (file) => file.startsWith('nar/')), resumable };
}

function inTurns(faults: readonly Fault[], isMeant: (name: string) => boolean): FaultPlan {
  const numbers = new Map<string, number>();
  return ({ name }) => {
    if (!isMeant(name)) return undefined;
    const number = numbers.get(name) ?? numbers.size;
    numbers.set(name, number);
    return faults[number % faults.length];
  };
}

function onFile(name: string, fault: Fault): FaultPlan {
  return (request) => (request.name === name ? fault : undefined);
}

/** The first answer to each request is wrong, the next are right. */
function once(fault: Fault): FaultPlan {
  return ({ attempt }) => (attempt === 1 ? fault : undefined);
}

const certificate = await makeCertificate();

/** Tried in every order. */
const MAIN: readonly Trouble[] = [
  { name: 'connections are refused', refuses: true },
  { name: 'connections are taken, and nothing is said', options: { connection: () => 'hang' } },
  onNarInfos('no answer', { kind: 'hang' }),
  onNarInfos('status 503', { kind: 'status', status: 503 }),
  onNars('no more after 1,000 bytes', { kind: 'hang', after: 1_000 }),
  onNars('reset after 1,000 bytes', { kind: 'reset', after: 1_000 }),
];

/** Of a whole cache; tried in one order. */
const WHOLE: readonly Trouble[] = [
  { name: 'connections are reset', options: { connection: () => 'reset' } },
  { name: 'connections are closed', options: { connection: () => 'close' } },
  { name: 'TLS handshakes never end', options: { tls: certificate, connection: () => 'hang' } },
  { name: 'TLS handshakes are broken off', options: { tls: certificate, connection: () => 'reset' } },
  { name: 'the certificate is one that nobody knows', options: { tls: await makeCertificate() } },
  { name: 'there is no nix-cache-info', plan: onFile('nix-cache-info', { kind: 'status', status: 404 }) },
  { name: 'nix-cache-info never comes', plan: onFile('nix-cache-info', { kind: 'hang' }) },
  { name: 'status 500 for everything', plan: () => ({ kind: 'status', status: 500 }) },
];

const status = (status: number): Fault => ({ kind: 'status', status });
const asksToWait = (status: number, seconds: number): Fault => ({
  kind: 'status',
  status,
  headers: { 'retry-after': String(seconds) },
});

/** Of one kind of file: tried with a cache of which the narinfos are so, and one of which the NARs are. */
const FILES: readonly (readonly [name: string, ...faults: readonly Fault[]])[] = [
  ['status 401, 403, 404 or 410', ...[401, 403, 404, 410].map(status)],
  ['status 408, 429, 500, 502 or 503', ...[408, 429, 500, 502, 503].map(status)],
  ['status 429 or 503 with Retry-After', asksToWait(429, 3600), asksToWait(503, 1)],
  ['no answer', { kind: 'hang' }],
  ['no more after 100 bytes', { kind: 'hang', after: 100 }],
  ['a byte every 100 ms', { kind: 'drip', bytes: 1, milliseconds: 100 }],
  ['broken off before the answer', { kind: 'reset' }, { kind: 'close' }],
  ['broken off after 100 bytes', { kind: 'reset', after: 100 }, { kind: 'close', after: 100 }],
  ['a length that is wrong', { kind: 'length', by: 10 }, { kind: 'length', by: -10 }],
  ['a flipped bit', { kind: 'corrupt', at: 150 }],
  ['something else', { kind: 'replace', body: 'something else\n' }],
  ['redirects that lead nowhere', { kind: 'redirect', to: 'x' }, { kind: 'redirect', to: 'http://127.0.0.1:1/' }],
  ['answers without end', { kind: 'endlessHeaders' }, { kind: 'flood' }],
];

/** What is no fault, or soon over: the only cache there is may do it. */
const HARMLESS: readonly (readonly [name: string, plan: FaultPlan])[] = [
  ['sends no lengths', () => ({ kind: 'chunked' })],
  ['compresses what it sends', () => ({ kind: 'encode', encoding: 'gzip' })],
  ['breaks off each file once', once({ kind: 'reset', after: 100 })],
  [
    'breaks off each file once, and knows no ranges',
    ({ attempt }) => (attempt === 1 ? { kind: 'close', after: 100 } : { kind: 'ignoreRange' }),
  ],
  [
    'breaks off each file once, and sends other ranges than asked for',
    ({ attempt }) =>
      attempt === 1 ? { kind: 'close', after: 100 } : attempt === 2 ? { kind: 'wrongRange', offset: 7 } : undefined,
  ],
  ['ends the connection on each request once', once({ kind: 'close' })],
  ['answers each request with status 502 once', once(status(502))],
  ['answers each request with status 429 once', once(status(429))],
];

function answersAfter(milliseconds: number): FaultPlan {
  return ({ name }) => (name === 'nix-cache-info' ? undefined : { kind: 'late', milliseconds });
}

const resources = new AsyncDisposableStack();
after(() => resources.disposeAsync());
const scratch = resources.use(await makeScratch(64));
const cache = await layeredCache(join(scratch.path, 'cache'));
const sslCertFile = join(scratch.path, 'certificate.pem');
await writeFile(sslCertFile, certificate.cert);
/** The good one is as far away as caches are; the slow one is not to be waited for. */
const good = resources.use(await serveFaults(cache.dir, answersAfter(20)));
const slow = resources.use(await serveFaults(cache.dir, answersAfter(700)));

const settings: Partial<Settings> = {
  connectTimeout: CONNECT_TIMEOUT,
  sslCertFile,
  filetransferRetryDelay: 10,
  filetransferRetryDelayRateLimited: 10,
  workerThreads: 1,
};

async function timeAlone(): Promise<number> {
  return (await runFrom(cache, [good.url], settings)).milliseconds;
}

for (let warm = 0; warm < 2; warm++) await timeAlone();
const usual = await timeAlone();

/** @param order - troubles stand for caches that have them. */
async function proves(t: TestContext, order: readonly (Trouble | FaultServer)[]): Promise<void> {
  let alone = usual;
  for (let attempt = 1; ; attempt++) {
    await using faulty = new AsyncDisposableStack();
    const dead: FaultServer[] = [];
    const urls: string[] = [];
    for (const each of order) {
      const server = each instanceof FaultServer ? each : faulty.use(await serveTrouble(each));
      if (!(each instanceof FaultServer) && !each.resumable) dead.push(server);
      urls.push(server.url);
    }
    const run = await runFrom(cache, urls, settings);
    const isInTime = (): boolean => run.milliseconds <= limitBeside(alone);
    const roleOf = (url: string): Role => (url === good.url ? 'good' : url === slow.url ? 'slow' : 'dead');
    const shares = urls.map((url) => `${run.delivered.get(url)} ${roleOf(url)}`).join(', ');
    const setAside = run.setAside.map(roleOf).join(', ') || 'none';
    t.diagnostic(
      `${Math.round(run.milliseconds)} ms, alone ${Math.round(alone)}; paths: ${shares}; set aside: ${setAside}`,
    );
    for (const { url } of dead) assert.equal(run.delivered.get(url), 0);
    if (isInTime()) return;
    alone = await timeAlone();
    if (isInTime()) return;
    if (attempt < ATTEMPTS) continue;
    assert.fail(`${run.milliseconds} ms, where ${limitBeside(alone)} are allowed: the good one alone takes ${alone}`);
  }
}

function limitBeside(alone: number): number {
  return 1.5 * alone + 1_000 * CONNECT_TIMEOUT + SLACK;
}

async function serveTrouble({ plan, options, refuses }: Trouble): Promise<FaultServer> {
  const server = await serveFaults(cache.dir, plan, options);
  if (refuses) await server.refuse();
  return server;
}

for (const trouble of MAIN) {
  for (const order of ORDERS) {
    const servers = order.map((role) => ({ dead: trouble, slow, good })[role]);
    test(`${trouble.name}; the order is ${order.join(', ')}`, (t) => proves(t, servers));
  }
}
for (const trouble of WHOLE) test(trouble.name, (t) => proves(t, [trouble, slow, good]));
for (const [name, ...faults] of FILES) {
  test(`${name}, for narinfos of one cache and NARs of another`, (t) =>
    proves(t, [onNarInfos(name, ...faults), onNars(name, ...faults), good]));
}
for (const [name, plan] of HARMLESS) {
  test(`the only cache ${name}`, async () => {
    await using server = await serveFaults(cache.dir, plan);
    const { delivered, failures } = await runFrom(cache, [server.url], settings);
    assert.equal(delivered.get(server.url), cache.paths.length);
    assert.deepEqual(failures, []);
  });
}

test('a path that only the slow cache has comes from there', async () => {
  const name = `${hashPart(cache.paths[7]!)}.narinfo`;
  await using others = await serveFaults(cache.dir, onFile(name, status(404)));
  await using dead = await serveFaults(cache.dir, undefined, { connection: () => 'hang' });
  const { delivered } = await runFrom(cache, [dead.url, others.url, slow.url], settings);
  assert.ok(delivered.get(slow.url)! >= 1);
  assert.equal(delivered.get(dead.url), 0);
});

test('the only cache is started anew in the middle of a run', async () => {
  const half = Promise.withResolvers<void>();
  let nars = 0;
  await using server = await serveFaults(cache.dir, ({ name }) => {
    if (name.startsWith('nar/') && ++nars === 100) half.resolve();
    return undefined;
  });
  const restarted = half.promise.then(() => server.refuse()).then(() => server.listen());
  await Promise.all([runFrom(cache, [server.url], settings), restarted]);
});
