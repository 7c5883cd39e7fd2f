/**
 * What all sockets of a thread are read into, in place of a new buffer for every read: at hundreds of MB a second those
 * cost more than what is done with their contents, most of it in the garbage collector. What has been read is used up,
 * or copied, before the callback returns that was told of it.
 */

/**
 * What a system call reads at most: more would be cheaper still for large files, but V8 counts it, and collects the heap
 * of threads that else would be done before.
 */
const READ_SIZE = 512 * 1024;

export const READ_BUFFER: Buffer = Buffer.allocUnsafeSlow(READ_SIZE);
