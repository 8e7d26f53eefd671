/* SPDX-License-Identifier: Apache-2.0 */
/* If these nets gave other logits than the programs that trained them, nothing that is measured on them would count. */
#include "unit/model/classifier_nets.h"

/* The accuracies of mnist_goldens.json, over the whole test set. */
static void crypten_agrees(void **state)
{
    (void)state;
    check_net("crypten_tfe_a", 10000, 9771);
}

static void tenseal_agrees(void **state)
{
    (void)state;
    check_net("tenseal_convmnist_square", 10000, 9777);
}

static void onnx_agrees(void **state)
{
    (void)state;
    check_net("onnx_mnist_cnn", 10000, 9891);
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
