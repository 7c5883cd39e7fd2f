/** What a handler is given where its request has never been on its way. */
import type { Dispatcher } from 'undici';

/** Before there is a connection there is nothing to control. */
export const NO_CONTROLLER: Dispatcher.DispatchController = {
  aborted: true,
  paused: false,
  reason: null,
  abort: () => {},
  pause: () => {},
  resume: () => {},
};
