/** Resolves when the line was written. Rejects if the output is closed. */
export function printLine(line: string): Promise<void> {
  const { stdout } = process;
  // The error is emitted, too, after the callback.
  stdout.off('error', ignore).on('error', ignore);
  return new Promise((resolve, reject) => {
    stdout.write(`${line}\n`, (error) => (error ? reject(error) : resolve()));
  });
}

/** Prints one line on stderr, whatever the text has. */
export function printError(text: string): void {
  const line = `socket-singleton: ${text.replaceAll(/\s*\p{Cc}+\s*/gu, ' ')}\n`;
  try {
    // Not process.stderr, which would make a pipe non-blocking that a command of this process has, too.
    process.getBuiltinModule('node:fs').writeSync(STDERR, line);
  } catch {
    // It has no reader.
  }
}

const STDERR = 2;

function ignore(): void {}
