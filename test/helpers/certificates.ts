import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate and its key: the paths of files in PEM, and what they hold. */
export interface Certificate {
  readonly files: { readonly cert: string; readonly key: string };
  readonly cert: string;
  readonly key: string;
}

/** An authority that signs certificates of 127.0.0.1. It needs the program `openssl`. */
export class CertificateAuthority {
  readonly #folder = mkdtempSync(join(tmpdir(), 'socket-singleton-ca-'));
  readonly #own: Certificate;

  constructor() {
    this.#own = this.#create('authority', '/CN=authority', ['-x509']);
  }

  get file(): string {
    return this.#own.files.cert;
  }

  get cert(): string {
    return this.#own.cert;
  }

  /** `subject`: as openssl has it, such as `/CN=client`. */
  issue(name: string, subject: string): Certificate {
    const { cert, key } = this.#own.files;
    return this.#create(name, subject, ['-x509', '-CA', cert, '-CAkey', key, '-addext', 'subjectAltName=IP:127.0.0.1']);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #create(name: string, subject: string, flags: readonly string[]): Certificate {
    const files = { cert: join(this.#folder, `${name}.pem`), key: join(this.#folder, `${name}.key`) };
    // Without the configuration of the system, and with a subject that may be without a CommonName.
    const config = join(this.#folder, 'openssl.cnf');
    writeFileSync(config, '[req]\ndistinguished_name = subject\n[subject]\n');
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', files.key];
    const request = ['req', '-config', config, ...newKey, '-subj', subject, '-days', '2', '-out', files.cert, ...flags];
    execFileSync('openssl', request, { stdio: 'pipe' });
    return { files, cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') };
  }
}
