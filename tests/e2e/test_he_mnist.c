/* SPDX-License-Identifier: Apache-2.0 */
/* If a digit became another one by being encrypted, all that is said of precision would be worth nothing. Twenty test
 * images; a thousand in test_he_mnist_long.c. */
#include "support/he_mnist.h"

static void the_published_net_keeps_its_classes(void **state)
{
    (void)state;
    he_mnist_check_tenseal(20);
}

static void our_digits_net_keeps_its_classes(void **state)
{
    (void)state;
    he_mnist_check_digits(20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_net_keeps_its_classes),
        cmocka_unit_test(our_digits_net_keeps_its_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
