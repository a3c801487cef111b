// What was measured, and on what: said with every result.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { KEYTURN_BIN } from './rig.mjs';

const root = join(import.meta.dirname, '..');

function firstLine(command, ...args) {
    const { stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
    return `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n')[0] || 'not here';
}

function distribution() {
    try { return readFileSync('/etc/os-release', 'utf8').match(/^PRETTY_NAME="?([^"\n]+)/m)[1]; } catch { return 'unknown'; }
}

export function machineFacts(stage) {
    const cpu = os.cpus()[0]?.model.trim() ?? 'unknown CPU', commit = firstLine('git', 'rev-parse', '--short=12', 'HEAD');
    return {
        cpu, cpus: stage.cpus.length, memory_gib: Math.round(os.totalmem() / 2 ** 30), kernel: `${os.type()} ${os.release()}`, system: distribution(),
        pinned: `contenders on CPU ${stage.proxyCpu}, all else on ${stage.loadCpus.join(',')}`, files: stage.files,
        load_at_start: os.loadavg().map(value => Number(value.toFixed(2))),
        commit: /^[0-9a-f]+$/.test(commit) ? `${commit}${firstLine('git', 'status', '--porcelain', '--', 'src', 'deps') === 'not here' ? '' : ', changed'}` : 'not a checkout',
        versions: {
            keyturn: firstLine(KEYTURN_BIN, '--version'), nginx: firstLine('nginx', '-v').replace('nginx version: ', ''), haproxy: firstLine('haproxy', '-v').split(' - ')[0],
            'lua module': firstLine('dpkg-query', '-W', '-f', '${Version}', 'libnginx-mod-http-lua'), redis: firstLine('redis-server', '--version').split(' sha=')[0],
            wrk: firstLine('wrk', '-v').split(' Copyright')[0], node: process.version,
        },
    };
}

/** For a file's name. */
export const machineName = facts => `${facts.cpu}-${facts.cpus}-cpus`.toLowerCase().replace(/\(r\)|\(tm\)|processor|@.*?(?=-\d+-cpus)/g, '')
    .replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '');
