/** How much has to come of a file in which time, by the settings. */
import type { Settings } from '../../settings.ts';
import type { QueryOptions } from '../store.ts';
import type { Floor } from './watch.ts';

export type FloorSettings = Pick<Settings, 'connectTimeout' | 'narinfoTimeout' | 'stalledDownloadTimeout'>;

/** From a cache in place of which another one can be asked. */
const IMPATIENT_BYTES_PER_SECOND = 1024;

/** For a small file: all of it has to come in time. What has to come a second is for those who wait for a connection. */
export function wholeFloor(settings: FloorSettings, { impatient }: QueryOptions = {}): Floor {
  const { connectTimeout, narinfoTimeout } = settings;
  return impatient && connectTimeout > 0 && (narinfoTimeout === 0 || connectTimeout < narinfoTimeout)
    ? { seconds: connectTimeout, setting: 'connect-timeout', bytesPerSecond: IMPATIENT_BYTES_PER_SECOND, whole: true }
    : { seconds: narinfoTimeout, setting: 'narinfo-timeout', bytesPerSecond: 1, whole: true };
}

/** For a large file: something has to come all the time. */
export function stallFloor(settings: FloorSettings, { impatient }: QueryOptions = {}): Floor {
  const { connectTimeout, stalledDownloadTimeout } = settings;
  const bytesPerSecond = IMPATIENT_BYTES_PER_SECOND;
  return impatient && connectTimeout > 0
    ? { seconds: connectTimeout, setting: 'connect-timeout', bytesPerSecond, acrossAttempts: true }
    : { seconds: stalledDownloadTimeout, setting: 'stalled-download-timeout', bytesPerSecond: 1 };
}
