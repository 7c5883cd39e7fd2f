import { InternalError } from '../src/errors.ts';
import type { Reply } from '../src/pool/messages.ts';

export default async function hookBuild(): Promise<Reply<'hookBuild'>> {
  throw new InternalError("jobs of the kind 'hookBuild' are not there yet");
}
