/** A slot of another machine, to build there. Where the build has ended, the next may begin while the outputs come back. */
import { asSluiceError, BuildError } from '../errors.ts';
import { withoutCredentials } from '../formats/store-reference.ts';
import { type BuildPlace, PlaceLost } from '../goals/derivation-context.ts';
import type { Notice } from '../pool/messages.ts';
import type { MachineSlot } from './machines.ts';
import type { JobRunner } from './places.ts';

export function machinePlace(pool: JobRunner, slot: MachineSlot): BuildPlace {
  const { store } = slot.machine;
  return {
    machine: withoutCredentials(store),
    run: async (request, options) => {
      const onNotice = (notice: Notice): void => {
        if (notice.kind === 'built') slot.built();
        else options.onNotice?.(notice);
      };
      try {
        const reply = await pool.run('remoteBuild', { ...request, on: store }, { ...options, onNotice });
        slot.succeeded();
        return reply;
      } catch (error) {
        options.signal.throwIfAborted();
        if (error instanceof BuildError) slot.succeeded();
        // The local store's fault, such as a full disk: another machine would do no better.
        if (error instanceof BuildError || asSluiceError(error).code === 'ERR_STORE') throw error;
        const failure = asSluiceError(error);
        slot.failed(failure);
        throw new PlaceLost(failure);
      }
    },
    [Symbol.dispose]: () => slot[Symbol.dispose](),
  };
}
