/* environment.h: secrets and mode: what comes from the environment (or a file it names, or .env in development) and
 * never from YAML or argv.
 *
 * Development: DEBUG=true, or neither KEYTURN_ENV nor DEPLOY_ENV set, and every listener on loopback. Production:
 * KEYTURN_ENV=production, or DEBUG=false with DEPLOY_ENV set: every secret required, no .env. Anything else refuses.
 *
 * Owns      the secrets.
 * Fails     environment_read: faults gets one sentence per fault: what is missing or contradictory and what to do.
 * Ends      environment_done wipes.
 * Source    design 4.2
 */
#ifndef KEYTURN_APP_ENVIRONMENT_H
#define KEYTURN_APP_ENVIRONMENT_H

#include "base/buffer.h"
#include "base/secret.h"

/* clang-format off */
/*      field               variable                         in production  text */
#define SECRETS(ROW)                                                                                              \
    ROW(management_key,    "OPENROUTER_PROVISIONING_KEY", true, "OpenRouter management key; without it no key can be made or renewed") \
    ROW(shared_key,        "OPENROUTER_API_KEY", false, "shared OpenRouter key (tiers that use it come with quotas)")       \
    ROW(encryption_secret, "KEYTURN_ENCRYPTION_SECRET", true, "root of the key-sealing keys: kid:base64[,kid:base64 ...], newest first") \
    ROW(admin_key,         "KEYTURN_ADMIN_KEY", false, "bearer of the admin listener; unset: it does not start")             \
    ROW(redis_url,         "KEYTURN_REDIS_URL", false, "redis://, rediss:// or unix://; unset: a private redis-server as a child")
/* clang-format on */

enum mode { MODE_DEVELOPMENT, MODE_PRODUCTION };

struct environment {
    enum mode mode;
    bool used_dotenv;
    char *base_url; /* OPENROUTER_BASE_URL, default https://openrouter.ai/api/v1 */
#define ROW(field, variable, required, text) struct secret field;
    SECRETS(ROW)
#undef ROW
};

/* lookup is getenv in the product. dotenv: path of .env, read in development only and only for variables not set;
 * on_loopback: whether every listener is. */
bool environment_read(struct environment *environment, const char *(*lookup)(const char *name),
                      const char *dotenv, bool on_loopback, struct buffer *faults);
void environment_done(struct environment *environment);
/* Before config_load, in development only: gives the settings that .env has (KEYTURN_ names, no secrets, not the mode)
 * and the environment has not to put, which is setenv in the product. environment_read tells what is wrong in .env. */
void environment_put_settings(const char *(*lookup)(const char *name), const char *dotenv,
                              int (*put)(const char *name, const char *value, int overwrite));
bool environment_print_markdown(struct buffer *out);
bool environment_print_help(struct buffer *out);

#endif
