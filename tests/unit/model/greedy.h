/* SPDX-License-Identifier: Apache-2.0 */
/* Greedy text by the plain engine, with the margin of each choice, for comparison with published ids. */
#ifndef EIS_TESTS_MODEL_GREEDY_H
#define EIS_TESTS_MODEL_GREEDY_H

#include "unit/model/fixture.h"

#include "model/plain.h"

/* Continues ids[count] to ids[total]; margins[i] is that of the choice of ids[count + i], or NULL. */
static inline void greedy_text(const eis_model *model, uint32_t *ids, size_t count, size_t total, double *margins)
{
    eis_plain_backend *plain;
    eis_lm_session *session;
    const size_t vocabulary = model->lm.vocabulary;
    double *logits = calloc(vocabulary, sizeof *logits);
    size_t fed = 0;

    assert_non_null(logits);
    assert_int_equal(eis_plain_backend_new(&plain, model, NULL), EIS_OK);
    assert_int_equal(eis_lm_session_new(&session, model, (uint32_t)total), EIS_OK);
    const eis_linear_backend backend = eis_plain_backend_seam(plain);
    for (size_t n = count; n < total; n++) {
        size_t best = 0;
        double second = -1e300;
        assert_int_equal(eis_lm_feed(session, logits, &backend, ids + fed, n - fed), EIS_OK);
        fed = n;
        for (size_t i = 1; i < vocabulary; i++)
            if (logits[i] > logits[best]) best = i;
        for (size_t i = 0; i < vocabulary; i++)
            if (i != best && logits[i] > second) second = logits[i];
        ids[n] = (uint32_t)best;
        if (margins != NULL) margins[n - count] = logits[best] - second;
    }
    eis_lm_session_free(session);
    eis_plain_backend_free(plain);
    free(logits);
}

#endif
