/* SPDX-License-Identifier: Apache-2.0 */
/* If these nets gave other logits than the programs that trained them, nothing that is measured on them would count. */
#include "unit/model/classifier_nets.h"

/* How many of the first 500 are right; the whole set is in test_classifier_nets_long.c. */
static void crypten_agrees(void **state)
{
    (void)state;
    check_net("crypten_tfe_a", 500, 490);
}

static void tenseal_agrees(void **state)
{
    (void)state;
    check_net("tenseal_convmnist_square", 500, 484);
}

static void onnx_agrees(void **state)
{
    (void)state;
    check_net("onnx_mnist_cnn", 500, 493);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crypten_agrees),
        cmocka_unit_test(tenseal_agrees),
        cmocka_unit_test(onnx_agrees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
