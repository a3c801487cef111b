/* step.h: what a row of a way tells the loop that runs it. */
#ifndef KEYTURN_FLOW_STEP_H
#define KEYTURN_FLOW_STEP_H

enum verdict {
    GO_ON, /* at the row that `at` names now */
    WAIT,  /* a turn was or will be posted */
    END    /* the object is freed */
};

#endif
