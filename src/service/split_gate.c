/* SPDX-License-Identifier: Apache-2.0 */
#include "service/split_gate.h"

#include "base/mem.h"

#include <pthread.h>

struct eis_split_gate {
    pthread_mutex_t lock;
    pthread_cond_t room;
    unsigned inside, inside_max, waiting, waiting_max;
};

eis_status eis_split_gate_new(eis_split_gate **gate, unsigned inside_max, unsigned waiting_max)
{
    eis_split_gate *made = eis_mem_new(1, sizeof *made);

    *gate = made;
    if (made == NULL) return EIS_ERR_MEMORY;
    made->inside_max = inside_max;
    made->waiting_max = waiting_max;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->room, NULL);
    return EIS_OK;
}

void eis_split_gate_free(eis_split_gate *gate)
{
    if (gate == NULL) return;
    pthread_cond_destroy(&gate->room);
    pthread_mutex_destroy(&gate->lock);
    eis_mem_free(gate);
}

eis_status eis_split_gate_enter(eis_split_gate *gate)
{
    eis_status st = EIS_OK;

    pthread_mutex_lock(&gate->lock);
    if (gate->inside >= gate->inside_max && gate->waiting >= gate->waiting_max) {
        st = eis_fail(EIS_ERR_BUSY, "%u requests are computed and %u wait; try again later", gate->inside,
                      gate->waiting);
    } else {
        gate->waiting++;
        while (gate->inside >= gate->inside_max) pthread_cond_wait(&gate->room, &gate->lock);
        gate->waiting--;
        gate->inside++;
    }
    pthread_mutex_unlock(&gate->lock);
    return st;
}

void eis_split_gate_leave(eis_split_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->inside--;
    if (gate->waiting > 0) pthread_cond_signal(&gate->room);
    pthread_mutex_unlock(&gate->lock);
}

void eis_split_gate_counts(unsigned *inside, unsigned *waiting, eis_split_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    *inside = gate->inside;
    *waiting = gate->waiting;
    pthread_mutex_unlock(&gate->lock);
}
