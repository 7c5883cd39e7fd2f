/** The transfer of one path: its NAR out of a substituter, checked, into the staging directory. */
import { asSluiceError, TransferError } from '../errors.ts';
import { isNarInfo } from '../formats/narinfo.ts';
import type { PathInfo } from '../formats/path-info.ts';
import type { StorePath } from '../formats/store-path.ts';
import type { Progress } from '../pool/messages.ts';
import type { Voucher } from '../stores/trust.ts';
import type { Candidate } from '../substituters/path-search.ts';
import type { TransferView } from './events.ts';
import type { ClaimState, LocalGoalContext, PathClaim } from './goal.ts';
import { LockWait } from './lock-wait.ts';

/** A substituter is not asked now, since others are there: it has not failed at this path. */
export class SetAside extends TransferError {
  constructor(uri: string) {
    super(`'${uri}' is set aside because of its failures`, { transient: true });
  }
}

/**
 * Downloads and unpacks, holding a slot, and tells of it.
 *
 * @param voucher - what speaks for the candidate's info: it has been checked before.
 * @returns where in the staging directory it lies.
 * @throws what went wrong; the reason of `signal`.
 */
export async function transfer(
  candidate: Candidate,
  voucher: Voucher,
  context: LocalGoalContext,
  signal: AbortSignal,
): Promise<string>;
/**
 * The same, as soon as no other process makes the path.
 *
 * @param claim - not granted yet.
 * @returns undefined where the path has become valid meanwhile.
 */
export async function transfer(
  candidate: Candidate,
  voucher: Voucher,
  context: LocalGoalContext,
  signal: AbortSignal,
  claim: PathClaim,
): Promise<string | undefined>;
export async function transfer(
  { substituter, info, impatient }: Candidate,
  voucher: Voucher,
  context: LocalGoalContext,
  signal: AbortSignal,
  claim?: PathClaim,
): Promise<string | undefined> {
  const view: TransferView = {
    path: info.path,
    substituter: substituter.uri,
    narSize: info.narSize,
    downloadSize: isNarInfo(info) ? info.fileSize : info.narSize,
  };
  context.events.emit('transferExpected', view);
  try {
    using turn = await takeTurn(info, context, signal, claim);
    if (turn === undefined) {
      context.events.emit('transferFailed', { ...view, error: undefined });
      return undefined;
    }
    // Others may have found out, while this one waited for its turn, that nothing comes from there.
    if (impatient && !substituter.transfers.allows()) throw new SetAside(substituter.uri);
    using space = await context.claimSpace(info);
    const destination = await context.stagingLocation(info.path);
    const partial = await context.partialLocation(info);
    signal.throwIfAborted(); // nothing starts any more that was given up meanwhile
    context.events.emit('transferStarted', view);
    const request = { from: substituter.store.openUri, info, destination, partial, impatient };
    const onProgress = (progress: Progress): void => {
      space.written(progress.narBytes);
      context.events.emit('transferProgress', { ...view, ...progress });
    };
    const reply = await context.runJob('substitute', request, { signal, onProgress, weight: info.narSize });
    substituter.transferred('delivered');
    context.events.emit('transferFinished', { ...view, ...reply, narHash: info.narHash, voucher });
    return destination;
  } catch (error) {
    const failure = signal.aborted ? undefined : asSluiceError(error);
    // Given up, or the local store's fault: what the substituter is good for has not been seen.
    if (failure === undefined || failure.code === 'ERR_STORE') substituter.transferred(undefined);
    context.events.emit('transferFailed', { ...view, error: failure });
    throw error;
  }
}

/**
 * Waits for a slot and for the claim. The slot comes first, so that of thousands who wait only those hold locks that
 * work; but no slot is held while somebody else's lock is waited for.
 *
 * @returns undefined where there is nothing to do any more.
 */
async function takeTurn(
  { path, narSize: size }: PathInfo,
  context: LocalGoalContext,
  signal: AbortSignal,
  claim: PathClaim | undefined,
): Promise<Disposable | undefined> {
  const slot = await context.slot('substitution', signal, size);
  if (claim === undefined) return slot;
  const state = await tryTake(claim, slot);
  if (state === 'granted') return slot;
  if (state === 'valid' || (await waitForClaim(claim, path, context, signal)) === 'valid') return undefined;
  return await context.slot('substitution', signal, size);
}

async function waitForClaim(
  claim: PathClaim,
  path: StorePath,
  context: LocalGoalContext,
  signal: AbortSignal,
): Promise<Exclude<ClaimState, 'taken'>> {
  using wait = new LockWait(path, context);
  wait.begin(path);
  return await claim.take(signal);
}

/** Gives the slot back, unless the claim is granted. */
function tryTake(claim: PathClaim, slot: Disposable): Promise<ClaimState> {
  return claim.tryTake().then(
    (state) => {
      if (state !== 'granted') slot[Symbol.dispose]();
      return state;
    },
    (error) => {
      slot[Symbol.dispose]();
      throw error;
    },
  );
}
