import { InternalError } from '../src/errors.ts';
import type { Reply } from '../src/pool/messages.ts';

export default async function postBuildHook(): Promise<Reply<'postBuildHook'>> {
  throw new InternalError("jobs of the kind 'postBuildHook' are not there yet");
}
