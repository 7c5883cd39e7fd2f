import { InternalError } from '../src/errors.ts';
import type { Reply } from '../src/pool/messages.ts';

export default async function remoteBuild(): Promise<Reply<'remoteBuild'>> {
  throw new InternalError("jobs of the kind 'remoteBuild' are not there yet");
}
