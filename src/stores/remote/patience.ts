/** How long a store elsewhere may take, by what it is asked. */
import type { Settings } from '../../settings.ts';
import type { QueryOptions } from '../store.ts';
import type { Patience } from './connection.ts';

/** For a connection, and for what both sides say first. */
export function patienceToConnect({ connectTimeout }: Settings): Patience {
  return { seconds: connectTimeout, whole: true, setting: 'connect-timeout' };
}

/** For a question that is answered out of a database. */
export function patienceToAnswer(settings: Settings, { impatient = false }: QueryOptions): Patience {
  const { narinfoTimeout, connectTimeout } = settings;
  if (impatient && connectTimeout > 0 && (connectTimeout < narinfoTimeout || narinfoTimeout === 0)) {
    return patienceToConnect(settings);
  }
  return { seconds: narinfoTimeout, whole: true, setting: 'narinfo-timeout' };
}

/** For contents, and for all that may take long. */
export function patienceToTransfer({ stalledDownloadTimeout }: Settings): Patience {
  return { seconds: stalledDownloadTimeout, whole: false, setting: 'stalled-download-timeout' };
}
