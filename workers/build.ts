import { InternalError } from '../src/errors.ts';
import type { Reply } from '../src/pool/messages.ts';

export default async function build(): Promise<Reply<'build'>> {
  throw new InternalError("jobs of the kind 'build' are not there yet");
}
