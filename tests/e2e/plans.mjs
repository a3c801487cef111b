// Tiers and prices for tests about money. Nano-USD throughout.

import { budgetOf } from '../proof/figures.mjs';

export const MODEL = 'openai/gpt-4o', PROMPT = 2500, COMPLETION = 10000; // nano-USD a token
export const FREE = 'deepseek/deepseek-r1:free';

export const usd = nano => (nano / 1e9).toFixed(9);
export const tiers = rows => `tiers:\n${Object.entries(rows).map(([name, fields]) => `  ${name}:\n${Object.entries({ models: '["*"]', max_output_tokens: 64, ...fields })
    .map(([field, value]) => `    ${field}: ${value}\n`).join('')}`).join('')}`;
export const standard = fields => tiers({ Standard: fields });
/** The upper bound of a body: each byte a token. */
export const holdOf = (body, tokens) => JSON.stringify(body).length * PROMPT + tokens * COMPLETION;
export const budget = (world, user, window) => budgetOf((...args) => world.redis.ask(...args), user, window);
export const all = (count, run) => Promise.all(Array.from({ length: count }, (_, i) => run(i)));
/** How many answers of each error code, or status. */
export const counts = answers => answers.reduce((sum, answer) => {
    const name = answer.json?.error?.code ?? answer.status;
    return { ...sum, [name]: (sum[name] ?? 0) + 1 };
}, {});
