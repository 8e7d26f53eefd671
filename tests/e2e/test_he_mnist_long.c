/* SPDX-License-Identifier: Apache-2.0 */
/* If a digit became another one by being encrypted, all that is said of precision would be worth nothing. The first
 * 1,000 test images. */
#include "support/he_mnist.h"

static void the_published_net_keeps_its_classes(void **state)
{
    (void)state;
    he_mnist_check_tenseal(1000);
}

static void our_digits_net_keeps_its_classes(void **state)
{
    (void)state;
    he_mnist_check_digits(1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_net_keeps_its_classes),
        cmocka_unit_test(our_digits_net_keeps_its_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
