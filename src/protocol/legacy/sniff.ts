const NUL = 0;
const LF = 0x0a;

/** Where the head of a stream ends, its first NUL or line feed included; `undefined` while neither came. */
export function headLength(bytes: Uint8Array): number | undefined {
  const nul = bytes.indexOf(NUL);
  const lineFeed = (nul === -1 ? bytes : bytes.subarray(0, nul)).indexOf(LF);
  const end = lineFeed === -1 ? nul : lineFeed;
  return end === -1 ? undefined : end + 1;
}

/**
 * What plainly is another protocol, known by the head of its stream. A web page can make a browser post to any port, and
 * the NULs in its body would read as arguments: so a line of HTTP at the start is never one.
 */
export function sniffForeignProtocol(head: Uint8Array): string | undefined {
  if (head[0] === 0x16 && head[1] === 0x03) return 'TLS';
  if (head[0] === 0xf5) return 'a structured codec of this library';
  // A method, or SSH: what almost every message has not costs nothing more.
  if (head[0] === undefined || head[0] < 0x41 || head[0] > 0x5a) return undefined;
  const start = latin1(head.subarray(0, 24));
  if (/^SSH-\d/.test(start)) return 'SSH';
  if (/^[A-Z]+ /.test(start) && / HTTP\/\d(\.\d)?\r?\n$/.test(latin1(head.subarray(-12)))) return 'HTTP';
  return undefined;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
