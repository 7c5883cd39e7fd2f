/** Setting `build-hook`: a program that is offered a derivation, and builds it somewhere if it likes. */
import { type BuildPlace, type BuildTask, PlaceLost } from '../goals/derivation-context.ts';
import type { JobRunner } from './places.ts';

export interface HookOffer {
  readonly task: BuildTask;
  /** Whether it could be built here at once. */
  readonly amWilling: boolean;
  /** The hook wants to be asked nothing any more. */
  readonly onDeclined: () => void;
}

/** It takes no slot: how much is built where the hook builds is its own business. */
export function hookPlace(pool: JobRunner, { task, amWilling, onDeclined }: HookOffer): BuildPlace {
  return {
    machine: 'build-hook',
    run: async (request, options) => {
      const features = task.options.requiredSystemFeatures;
      const reply = await pool.run('hookBuild', { ...request, features, amWilling }, options);
      if (reply.state === 'built') return { outputs: [], startTime: reply.startTime, stopTime: reply.stopTime };
      if (reply.state === 'declinedPermanently') onDeclined();
      throw new PlaceLost(undefined, reply.state === 'postponed' ? 'later' : 'elsewhere');
    },
    [Symbol.dispose]: () => {},
  };
}
