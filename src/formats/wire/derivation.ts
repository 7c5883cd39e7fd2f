/**
 * Derivations whose inputs are paths, on the wire. Their name goes without saying: it is that of their path.
 *
 * Source: Nix 2.35 libstore/derivations.cc, readDerivation and writeDerivation.
 */
import { type ContentAddress, parseContentAddress, printContentAddress } from '../content-address.ts';
import type { BasicDerivation, DerivationOutput } from '../derivation.ts';
import { printDigest } from '../hash.ts';
import { quote } from '../quote.ts';
import { parseStorePath, pathName, type StoreDir, type StorePath } from '../store-path.ts';
import { type Reading, readList, readMap, readString, wireError } from './read.ts';
import { readStorePaths, writeStorePath, writeStorePaths } from './store-paths.ts';
import type { WireWriter } from './write.ts';

/** In bytes, of one variable: more than an environment can hold. */
const MAX_VARIABLE_LENGTH = 64 * 1024 * 1024;

/**
 * @param drvPath - gives the name.
 * @throws {FormatError} on what is no derivation, and on one with outputs whose paths are not known before they are built.
 */
export function* readBasicDerivation(storeDir: StoreDir, drvPath: StorePath): Reading<BasicDerivation> {
  const outputs = yield* readMap(() => readOutput(storeDir));
  const inputSrcs = yield* readStorePaths(storeDir);
  const system = yield* readString();
  const builder = yield* readString();
  const args = yield* readList(() => readString(MAX_VARIABLE_LENGTH));
  const env = yield* readMap(() => readString(MAX_VARIABLE_LENGTH));
  const name = pathName(drvPath).replace(/\.drv$/, '');
  return { name, outputs: sorted(outputs), inputSrcs, system, builder, args, env: sorted(env) };
}

export function writeBasicDerivation(to: WireWriter, storeDir: StoreDir, derivation: BasicDerivation): void {
  to.list([...derivation.outputs], ([name, { path, contentAddress }]) => {
    to.string(name);
    writeStorePath(to, storeDir, path);
    to.string(contentAddress === undefined ? '' : printMethod(contentAddress));
    to.string(contentAddress === undefined ? '' : printDigest(contentAddress.hash, 'base16'));
  });
  writeStorePaths(to, storeDir, derivation.inputSrcs);
  to.string(derivation.system).string(derivation.builder).strings(derivation.args);
  to.list([...derivation.env], ([name, value]) => to.string(name).string(value));
}

function* readOutput(storeDir: StoreDir): Reading<DerivationOutput> {
  const path = yield* readString();
  const method = yield* readString();
  const hash = yield* readString();
  if (path === '') throw wireError('an output whose path is not known before it is built');
  const parsed = parseStorePath(storeDir, path);
  if (method === '' && hash === '') return { path: parsed };
  if (method === '' || hash === '') throw wireError(`output ${quote(path)} has half a content address`);
  const prefix = method.startsWith('text:') ? '' : 'fixed:';
  return { path: parsed, contentAddress: parseContentAddress(`${prefix}${method}:${hash}`) };
}

/** `r:sha256`: a content address without its digits, and without the `fixed:` that goes without saying. */
function printMethod(contentAddress: ContentAddress): string {
  return printContentAddress(contentAddress)
    .replace(/^fixed:/, '')
    .replace(/:[^:]*$/, '');
}

function sorted<V>(map: ReadonlyMap<string, V>): ReadonlyMap<string, V> {
  return new Map([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}
