/** The processes of this machine. */
import { readdir, readFile } from 'node:fs/promises';

/** The numbers of processes whose command line is as said, and that are no zombies. */
export async function processesNamed(commandLine: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const named = await Promise.all(
    pids.map(async (pid) => {
      const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return text.split('\0').join(' ').trim() === commandLine;
    }),
  );
  return pids.filter((_, index) => named[index]).map(Number);
}

/** Ends a process with all that it has started, and that these have. */
export async function killTree(pid: number): Promise<void> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  // Parents first, so that none sees its child end and says so.
  try {
    process.kill(pid, 'SIGKILL');
  } catch {} // it has ended
  await Promise.all(
    children
      .split(' ')
      .filter((each) => each !== '')
      .map((each) => killTree(Number(each))),
  );
}
