/** The transfer of one path: its NAR out of a substituter, checked, into the staging directory. */
import { asSluiceError, TransferError } from '../errors.ts';
import { isNarInfo } from '../formats/narinfo.ts';
import type { Progress } from '../pool/messages.ts';
import type { Voucher } from '../stores/trust.ts';
import type { Candidate } from '../substituters/path-search.ts';
import type { TransferView } from './events.ts';
import type { LocalGoalContext } from './goal.ts';

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
  { substituter, info, impatient }: Candidate,
  voucher: Voucher,
  context: LocalGoalContext,
  signal: AbortSignal,
): Promise<string> {
  const view: TransferView = {
    path: info.path,
    substituter: substituter.uri,
    narSize: info.narSize,
    downloadSize: isNarInfo(info) ? info.fileSize : info.narSize,
  };
  context.events.emit('transferExpected', view);
  try {
    using _slot = await context.slot('substitution', signal, info.narSize);
    // Others may have found out, while this one waited for its turn, that nothing comes from there.
    if (impatient && !substituter.transfers.allows()) throw new SetAside(substituter.uri);
    const [destination, partial] = await Promise.all([
      context.stagingLocation(info.path),
      context.partialLocation(info),
    ]);
    context.events.emit('transferStarted', view);
    const request = { from: substituter.store.openUri, info, destination, partial, impatient };
    const onProgress = (progress: Progress): void => {
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
