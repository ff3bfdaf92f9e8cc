/** Ends each part of a legacy message. */
export const NUL = '\0';

/** A part costs its host more than its bytes: a megabyte could hold a million. */
export const MAX_PARTS = 65_536;
