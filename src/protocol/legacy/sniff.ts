const NUL = 0;
const LF = 0x0a;

/** The length of the head of a stream, up to and with its first NUL or line feed; `undefined` if it has neither yet. */
export function headLength(bytes: Uint8Array): number | undefined {
  const nul = bytes.indexOf(NUL);
  const lineFeed = (nul === -1 ? bytes : bytes.subarray(0, nul)).indexOf(LF);
  const end = lineFeed === -1 ? nul : lineFeed;
  return end === -1 ? undefined : end + 1;
}

/**
 * The name of the foreign protocol that the head of a stream belongs to, if it is a known one. A web page can make a
 * browser post to any port, and NULs in the body would read as arguments: so a request line of HTTP is never an
 * argument.
 */
export function sniffForeignProtocol(head: Uint8Array): string | undefined {
  if (head[0] === 0x16 && head[1] === 0x03) return 'TLS';
  if (head[0] === 0xf5) return 'the structured protocol of this package';
  // An HTTP method and "SSH" start with A to Z. Almost all messages do not, and return here.
  if (head[0] === undefined || head[0] < 0x41 || head[0] > 0x5a) return undefined;
  const start = latin1(head.subarray(0, 24));
  if (/^SSH-\d/.test(start)) return 'SSH';
  if (/^[A-Z]+ /.test(start) && / HTTP\/\d(\.\d)?\r?\n$/.test(latin1(head.subarray(-12)))) return 'HTTP';
  return undefined;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
