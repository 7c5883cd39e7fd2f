/**
 * What becomes of what a builder made: outputs are checked, read once, and become store objects that are ready to be
 * registered; or, in mode `check`, are compared with those that are.
 *
 * Source: Nix 2.35 libstore/unix/build/derivation-builder.cc, registerOutputs.
 */
import type { BuildError } from '../../errors.ts';
import { parseDerivationOptions } from '../../formats/derivation-options.ts';
import { printStorePath, type StoreDir, type StorePath } from '../../formats/store-path.ts';
import type { BuildRequest, BuiltOutput } from '../../pool/messages.ts';
import type { Settings } from '../../settings.ts';
import { linksOf } from '../../stores/optimise/links.ts';
import { CanonicalMetadata } from './canonical-metadata.ts';
import { compareOutput } from './compare-output.ts';
import { placeOfContents, problemOfFixedOutput } from './fixed-output.ts';
import { sortOutputs } from './output-order.ts';
import { OutputPlace } from './output-place.ts';
import { type TakenOutput, takeOutput } from './take-output.ts';
import { Turn } from './turn.ts';

export interface FinishInput {
  readonly request: BuildRequest;
  /** Of the local store. */
  readonly store: { readonly storeDir: StoreDir; readonly realStoreDir: string };
  /**
   * By the name of each output that is wanted: where it lies, on the file system of the store. It stays there, with
   * canonical metadata. No process of the builder runs any more.
   */
  readonly produced: ReadonlyMap<string, string>;
  /** Hash parts that the builder was told in place of others, and which others. */
  readonly rewrites: ReadonlyMap<string, string>;
  /** Who ran the builder, where that was a user of its own. */
  readonly buildUid: number | undefined;
  readonly buildGid?: number | undefined;
  /** The build directory, which a diff hook is told. */
  readonly buildDir?: string | undefined;
  readonly settings: Settings;
  readonly signal: AbortSignal;
  /** Gets what the user should know. */
  readonly onMessage?: ((message: string) => void) | undefined;
}

/** What came of the outputs that were wanted. */
export interface FinishedOutputs {
  /** What can be registered, each after those that it refers to. */
  readonly outputs: readonly BuiltOutput[];
  /**
   * Why the build has failed all the same: a fixed output is another one than the derivation says. `outputs` is then
   * what can be made of that, at the path that its contents give.
   */
  readonly failure: BuildError | undefined;
}

/**
 * Finishes the outputs that are wanted.
 *
 * @throws {BuildError} `outputRejected` on an output that cannot be taken, `notDeterministic` where a check finds another
 *   one than before; {StoreError} where the file system refuses; the reason of `signal`.
 */
export async function finishOutputs(input: FinishInput): Promise<FinishedOutputs> {
  const { request, store, signal } = input;
  const drvPath = printStorePath(store.storeDir, request.drvPath);
  const turn = new Turn(signal);
  const taken = await takeAll(input, drvPath, turn);
  for (const output of taken) {
    const fixed = request.derivation.outputs.get(output.place.name)?.contentAddress;
    const failure = fixed && problemOfFixedOutput(output, fixed, drvPath, store.storeDir);
    if (failure === undefined) continue;
    const belongs = request.mode === 'check' ? undefined : placeOfContents(output, fixed!, store.storeDir);
    if (belongs === undefined) return { outputs: [], failure };
    const { name, info, location } = describe(output, request, output.place.location);
    return { outputs: [{ name, info: { ...info, ...belongs }, location }], failure };
  }
  const sorted = await sortOutputs(taken, drvPath, turn);
  if (request.mode !== 'check') {
    return { outputs: sorted.map((output) => describe(output, request, output.place.location)), failure: undefined };
  }
  for (const { name, narHash } of request.outputs) {
    const output = sorted.find(({ place }) => place.name === name)!;
    await compareOutput(output, narHash, { ...input, drvPath, turn });
  }
  return { outputs: sorted.map((output) => describe(output, request, undefined)), failure: undefined };
}

async function takeAll(input: FinishInput, drvPath: string, turn: Turn): Promise<TakenOutput[]> {
  const { request, store, produced, rewrites, buildUid, settings, onMessage } = input;
  const { derivation } = request;
  const { unsafeDiscardReferences } = parseDerivationOptions(store.storeDir, derivation);
  const candidates = candidatesOf(request);
  const metadata = new CanonicalMetadata({ buildUid, ignoredAcls: settings.ignoredAcls });
  const links = settings.autoOptimiseStore && request.mode !== 'check' ? linksOf(store.realStoreDir) : undefined;
  const taken: TakenOutput[] = [];
  for (const { name, path } of request.outputs) {
    const discards = unsafeDiscardReferences.get(name) === true;
    if (discards) onMessage?.(`references of output '${name}' of '${drvPath}' are discarded, as it asks for`);
    const place = new OutputPlace(name, path, printStorePath(store.storeDir, path), produced.get(name)!);
    const output = await takeOutput(place, {
      metadata,
      turn,
      drvPath,
      buildUid,
      rewrites,
      links,
      candidates: discards ? [] : candidates,
      fixed: derivation.outputs.get(name)?.contentAddress,
      mayBeOpen: !derivation.builder.startsWith('builtin:'),
    });
    taken.push(output);
  }
  return taken;
}

/** What outputs may refer to: all that the builder could see, and each other, valid or not. */
function candidatesOf({ derivation, inputPaths }: BuildRequest): readonly StorePath[] {
  const outputs = [...derivation.outputs.values()].map(({ path }) => path);
  return [...new Set([...inputPaths, ...outputs])];
}

function describe(
  output: TakenOutput,
  { drvPath, derivation }: BuildRequest,
  location: string | undefined,
): BuiltOutput {
  const { place, narHash, narSize, references } = output;
  const contentAddress = derivation.outputs.get(place.name)?.contentAddress;
  const info = { path: place.path, narHash, narSize, references, deriver: drvPath, signatures: [], contentAddress };
  return { name: place.name, info: { ...info, ultimate: true }, location };
}
