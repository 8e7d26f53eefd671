/* SPDX-License-Identifier: Apache-2.0 */
/* Example 4: a server that computes on what it cannot read.
 *
 *   4_encrypted_checkup MODEL [PROGRAM]
 *
 * Three patients, nine measurements each, and a logistic regression that tells benign from malignant
 * (models/breast-cancer; an example, no medical device). The model is opened twice: once in plain, in this process, and
 * once on a server that gets ciphertexts. The server is started on this machine by the library (PROGRAM is the
 * eis-server or eis that it runs; without it the PATH is searched). It holds the weights and never a key that decrypts:
 * that is made here, for this run, and thrown away. In earnest the server is somebody else's, and `url`, `model_name`
 * and the other members of eis_client_options say how to reach it.
 *
 * Encrypted numbers are approximate: the logits agree to within the small error that the scheme leaves, and the
 * classes are the same. */
#include <eis/eis.h>

#include <math.h>
#include <stdio.h>

enum { PATIENTS = 3, MEASUREMENTS = 9, CLASSES = 2 };

#define ERROR_MAX 1e-3

/* Each from 1 to 10, in the order of the model's card. */
static const double patients[PATIENTS][MEASUREMENTS] = {
    {3, 1, 1, 1, 2, 1, 2, 1, 1},
    {5, 4, 3, 2, 3, 5, 3, 2, 1},
    {8, 7, 8, 6, 5, 9, 7, 6, 2},
};

typedef struct answers {
    uint32_t classes[PATIENTS];
    double logits[PATIENTS][CLASSES];
    char labels[PATIENTS][32];
} answers;

static eis_status ask(answers *a, const char *model, const eis_client_options *options)
{
    eis_client *client;
    eis_status st = eis_client_open(&client, model, options);

    if (st != EIS_OK) return st;
    if (eis_client_input_count(client) == MEASUREMENTS && eis_client_class_count(client) == CLASSES)
        st = eis_client_classify(client, a->classes, a->logits[0], patients[0], PATIENTS);
    else
        st = EIS_ERR_SHAPE;
    for (int i = 0; st == EIS_OK && i < PATIENTS; i++) {
        const char *label = eis_client_class_label(client, a->classes[i]);
        snprintf(a->labels[i], sizeof a->labels[i], "%s", label != NULL ? label : "?");
    }
    eis_client_close(client);
    return st;
}

int main(int argc, char **argv)
{
    eis_client_options plain = {0}, encrypted = {0};
    answers here, there;
    int wrong = 0;
    eis_status st;

    if (argc < 2) {
        fprintf(stderr, "usage: %s MODEL [PROGRAM], such as: %s models/breast-cancer build/eis-server\n", argv[0],
                argv[0]);
        return 2;
    }
    plain.engine = EIS_CLIENT_PLAIN;
    encrypted.engine = EIS_CLIENT_HE;
    encrypted.server_program = argc > 2 ? argv[2] : NULL;
    st = ask(&here, argv[1], &plain);
    if (st == EIS_OK) st = ask(&there, argv[1], &encrypted);
    if (st != EIS_OK) {
        fprintf(stderr, "%s: %s\n", eis_status_text(st), eis_error_detail());
        return eis_status_exit_code(st);
    }
    for (int i = 0; i < PATIENTS; i++) {
        double error = fabs(there.logits[i][1] - here.logits[i][1]);
        printf("patient %d: %-9s  logit in plain %+.9f, from ciphertexts %+.9f, apart %.1g\n", i + 1, there.labels[i],
               here.logits[i][1], there.logits[i][1], error);
        wrong += here.classes[i] != there.classes[i] || !(error <= ERROR_MAX);
    }
    if (wrong == 0) return 0;
    fputs("the answers differ\n", stderr);
    return 1;
}
