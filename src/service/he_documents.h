/* SPDX-License-Identifier: Apache-2.0 */
/* The normative files of spec/, as they were when the program was built (cmake/documents.cmake). */
#ifndef EIS_SERVICE_HE_DOCUMENTS_H
#define EIS_SERVICE_HE_DOCUMENTS_H

#include "base/bytes.h"

typedef struct eis_he_document {
    const char *name; /* "openapi.yaml", "schemas/job.json" */
    eis_span bytes;
} eis_he_document;

/* [eis_he_document_count] */
extern const eis_he_document eis_he_documents[];
extern const size_t eis_he_document_count;

#endif
