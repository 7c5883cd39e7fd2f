/**
 * What a new process inherits from the thread that starts it: user, groups, personality, umask, core limit. Each is
 * set for a moment and put back before anything else runs.
 *
 * The system calls are made directly: those of the C library change all threads of the process, as POSIX wants it,
 * and the kernel only the one that calls.
 *
 * Source: Linux man-pages setresuid(2), setgroups(2), personality(2), nptl(7), "C library/kernel differences".
 */
import type { KoffiFunc } from 'koffi';
import { BuildError } from '../errors.ts';
import { loadKoffi } from '../stores/native.ts';
import { readUmask } from '../stores/umask.ts';
import type { User } from './spawn.ts';

/** Numbers of system calls, by architecture. Source: asm/unistd_64.h, asm-generic/unistd.h. */
const SYSTEM_CALLS: Partial<
  Record<NodeJS.Architecture, { readonly setresuid: number; readonly setresgid: number; readonly setgroups: number }>
> = {
  x64: { setresuid: 117, setresgid: 119, setgroups: 116 },
  arm64: { setresuid: 147, setresgid: 149, setgroups: 159 },
};
const AS_IT_IS = -1;
const UMASK = 0o022;
/** Flag of unshare(2): umask and working directory of the thread that calls. */
const CLONE_FS = 0x200;
/** What personality(2) only answers to. */
const ASK = 0xffffffff;
const ADDR_NO_RANDOMIZE = 0x0040000;
const PER_LINUX32 = 0x0008;

interface Calls {
  readonly setIds: KoffiFunc<(number: number, real: number, effective: number, saved: number) => number>;
  readonly setGroups: KoffiFunc<(number: number, count: number, gids: Uint32Array) => number>;
  readonly personality: KoffiFunc<(persona: number) => number>;
  readonly umask: KoffiFunc<(mask: number) => number>;
  readonly unshare: KoffiFunc<(flags: number) => number>;
}

let loaded: Calls | undefined;

function calls(): Calls {
  loaded ??= bind();
  return loaded;
}

function bind(): Calls {
  const symbols = loadKoffi().load(null);
  return {
    setIds: symbols.func('long syscall(long number, long real, long effective, long saved)') as Calls['setIds'],
    setGroups: symbols.func('long syscall(long number, size_t count, void *gids)') as Calls['setGroups'],
    personality: symbols.func('int personality(unsigned long persona)') as Calls['personality'],
    umask: symbols.func('unsigned int umask(unsigned int mask)') as Calls['umask'],
    unshare: symbols.func('int unshare(int flags)') as Calls['unshare'],
  };
}

/**
 * Makes this thread act as another user until it is disposed. What is started meanwhile runs as that user for good:
 * exec(2) gives up the saved user that this thread goes back by.
 *
 * @throws {BuildError} where this process may not, or the architecture is not known.
 */
export function actAs({ uid, gid, supplementaryGids }: User): Disposable {
  const numbers = SYSTEM_CALLS[process.arch];
  if (numbers === undefined)
    throw new BuildError(`no build users on ${process.arch}`, { failure: { status: 'miscFailure' } });
  const { setIds, setGroups } = calls();
  const own = { uid: process.getuid!(), gid: process.getgid!(), groups: process.getgroups!() };
  const check = (result: number, what: string): void => {
    if (result === 0) return;
    const why = `errno ${loadKoffi().errno()}`;
    throw new BuildError(`cannot become user ${uid}: ${what}: ${why}`, { failure: { status: 'miscFailure' } });
  };
  using undo = new DisposableStack();
  // Last taken, first put back: only who is root again may change its groups.
  undo.defer(() => check(setGroups(numbers.setgroups, own.groups.length, Uint32Array.from(own.groups)), 'setgroups'));
  check(setGroups(numbers.setgroups, supplementaryGids.length, Uint32Array.from(supplementaryGids)), 'setgroups');
  undo.defer(() => check(setIds(numbers.setresgid, own.gid, own.gid, own.gid), 'setresgid'));
  check(setIds(numbers.setresgid, gid, gid, gid), 'setresgid');
  undo.defer(() => {
    check(setIds(numbers.setresuid, AS_IT_IS, own.uid, AS_IT_IS), 'setresuid');
    check(setIds(numbers.setresuid, own.uid, own.uid, own.uid), 'setresuid');
  });
  check(setIds(numbers.setresuid, uid, uid, own.uid), 'setresuid');
  return undo.move();
}

/** Gives this thread a personality until it is disposed. */
export function withPersonality(persona: number): Disposable {
  const { personality } = calls();
  const before = personality(ASK);
  personality(persona);
  return { [Symbol.dispose]: () => void personality(before) };
}

/** Whether this thread has the builders' umask for good, apart from the rest of the process. */
let hasBuilderUmask = false;

/**
 * Files that builders make can be read by all and changed by nobody else, whatever the user of this process prefers. The
 * umask belongs to all threads, which start builders as well, so where it is another one this thread gets its own.
 */
export function withBuilderUmask(): Disposable {
  if (hasBuilderUmask) return NOTHING;
  const before = readUmask();
  if (before === UMASK) return NOTHING;
  const { umask, unshare } = calls();
  hasBuilderUmask = unshare(CLONE_FS) === 0; // containers may forbid it
  umask(UMASK);
  return hasBuilderUmask ? NOTHING : { [Symbol.dispose]: () => void umask(before) };
}

const NOTHING: Disposable = { [Symbol.dispose]: () => {} };

/** The personality of builders for a system: the same addresses each time, and 32 bits where it says so. */
export function personalityOf(system: string): number {
  const is32Bit = system === 'i686-linux' && process.arch === 'x64';
  return ADDR_NO_RANDOMIZE | (is32Bit ? PER_LINUX32 : 0);
}
