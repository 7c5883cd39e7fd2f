/**
 * The memory of libbz2: its `bz_stream`, for reading and for writing.
 *
 * Source: libbz2 1.0, bzlib.h.
 */

/** 80 bytes: pointers in words of 8 bytes, counts in words of 4. */
export const STREAM_WORDS = 10;
/** The pointers, by words of 8 bytes; and the counts, by words of 4. */
export const NEXT_IN = 0;
export const AVAIL_IN = 2;
export const NEXT_OUT = 3;
export const AVAIL_OUT = 8;

/** What calls answer, to reading and writing alike. */
export const BZ_OK = 0;
export const BZ_STREAM_END = 4;
