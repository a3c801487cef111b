// Between keyturn and the simulator: names another provider in the answers, so that keyturn meets one whose billing stops
// when a stream is left. "Simulator" is unknown to keyturn, and who is unknown is drained.

import http from 'node:http';

export class Relay {
    static async open({ provider = 'OpenAI' } = {}) {
        const relay = new Relay();
        const agent = new http.Agent({ keepAlive: true });
        relay.left = 0;
        relay.server = http.createServer((request, response) => {
            const { hostname, port } = new URL(relay.origin);
            const asked = http.request({ hostname, port, agent, method: request.method, path: request.url, headers: request.headers }, answer => {
                const { 'content-length': length, ...headers } = answer.headers;
                response.writeHead(answer.statusCode, headers);
                response.flushHeaders();
                let rest = '';
                answer.setEncoding('utf8');
                answer.on('data', part => {
                    const text = rest + part, cut = answer.complete ? text.length : Math.max(text.lastIndexOf('\n') + 1, 0);
                    rest = text.slice(cut);
                    if (cut) response.write(named(text.slice(0, cut)));
                });
                answer.on('end', () => response.end(named(rest)));
                answer.on('error', () => response.destroy());
            });
            const named = text => text.replaceAll('"provider":"Simulator"', `"provider":"${provider}"`);
            asked.on('error', () => response.destroy());
            response.on('close', () => {
                if (response.writableFinished) return;
                relay.left++;
                asked.destroy();
            });
            request.pipe(asked);
        });
        relay.server.keepAliveTimeout = 120_000;
        await new Promise(done => relay.server.listen(0, '127.0.0.1', done));
        relay.url = `http://127.0.0.1:${relay.server.address().port}/api/v1`;
        return relay;
    }
    close() {
        this.server.closeAllConnections();
        this.server.close();
    }
}
