"""The tests of Impasto; what several files share lies beside them."""
