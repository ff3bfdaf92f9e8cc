const NUL = 0;
const LF = 0x0a;

/** The length of the head of a stream, up to and with its first NUL or line feed; `undefined` if it has neither yet. */
export function headLength(bytes: Uint8Array): number | undefined {
  // Not by two searches: the one for the rare line feed would read all of a long message.
  for (let at = 0; at < bytes.length; at += 1) if (bytes[at] === NUL || bytes[at] === LF) return at + 1;
  return undefined;
}

/**
 * The name of the foreign protocol that a stream belongs to, if it is a known one. `start` has at least the head of the
 * stream. A web page can make a browser post to any port, by any method that it invents, and NULs in the body would read as
 * arguments: so no argument begins with a line that ends as a request line of HTTP does.
 */
export function sniffForeignProtocol(start: Uint8Array): string | undefined {
  if (start[0] === 0x16 && start[1] === 0x03) return 'TLS';
  if (start[0] === 0xf5) return 'the structured protocol of this package';
  const length = headLength(start) ?? start.length;
  // Almost all messages have a NUL before a line feed, and return here.
  if (start[length - 1] !== LF) return undefined;
  const head = start.subarray(0, length);
  if (/ HTTP\/\d(\.\d)?\r?\n$/.test(latin1(head.subarray(-12)))) return 'HTTP';
  // Not by "SSH-" alone, with which the name of a file may begin.
  if (/^SSH-\d\.\d+-/.test(latin1(head.subarray(0, 24)))) return 'SSH';
  return undefined;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
