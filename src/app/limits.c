#include "app/limits.h"

#include <sys/prctl.h>
#include <sys/resource.h>

enum { KEPT_BACK = 24, KEPT_BACK_SHARE = 16, SHARES_MAX = 1000000 };

struct descriptor_shares limits_share_descriptors(void)
{
    struct rlimit limit = {0};
    size_t all, usable;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    all = limit.rlim_cur < SHARES_MAX ? limit.rlim_cur : SHARES_MAX;
    usable = all > KEPT_BACK + all / KEPT_BACK_SHARE ? all - KEPT_BACK - all / KEPT_BACK_SHARE : 2;
    return (struct descriptor_shares){usable - usable / 2, usable / 2};
}

void limits_protect_memory(void)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
#ifndef KEYTURN_FAULT_POINTS /* sanitizers trace their own process at exit */
    prctl(PR_SET_DUMPABLE, 0);
#endif
}
