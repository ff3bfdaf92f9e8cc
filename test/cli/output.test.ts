import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bash, execute } from '../helpers/command-line.ts';
import { waitUntil } from '../helpers/program.ts';
import { socketFolder } from '../helpers/socket-folder.ts';

describe.skipIf(process.platform === 'win32')('an output that is closed', () => {
  test('is one line and status 141, or 1 if the system has another reason', async () => {
    // The reader ends before the writer starts.
    const script = `
      closed() { { read -r _ <&7; "$@"; echo "status $?" >&2; } | { exec <&-; echo >&7; }; }
      mkfifo "$1/ready"; exec 7<>"$1/ready"
      closed socket-singleton --help; closed socket-singleton secret
      socket-singleton --version > /dev/full; echo "status $?" >&2`;
    const program = bash(script, socketFolder());
    await program.exited();
    const closed = 'socket-singleton: The output was closed.\nstatus 141\n';
    const full = 'socket-singleton: ENOSPC: no space left on device, write\nstatus 1\n';
    expect(program.stderr).toBe(`${closed}${closed}${full}`);
  });

  test('ends a launch that waits, and one whose stdin stays open ends in its time', async () => {
    const folder = socketFolder();
    const endpoint = join(folder, 'socket');
    const host = bash(
      'exec 3>&2 2>/dev/null; socket-singleton listen --reply \'if [ $1 = long ]; then cat; else yes; fi\' "$1"',
      endpoint,
    );
    await waitUntil('a host', async () => (await execute('status', endpoint)).status === 0);
    const script = `
      { socket-singleton send --wait x "$1" < /dev/null; echo "status $?" >&2; } | head -n 1
      mkfifo "$2/open"; exec 7<>"$2/open"
      socket-singleton send --wait=0.05 long "$1" <&7 2>/dev/null; echo "status $?" >&2`;
    const program = bash(script, endpoint, folder);
    await program.exited();
    expect(program.stderr).toBe('socket-singleton: The output was closed.\nstatus 141\nstatus 75\n');
    process.kill(-Number(host.pid), 'SIGTERM');
    await host.exited();
  });
});
