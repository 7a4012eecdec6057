package io.gpuquant.job;

import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/** Checks that do not depend on each other, done by all threads. */
final class IndependentChecks {

    private IndependentChecks() {}

    /** Checks all items, and throws what the first of those that failed threw, whichever thread found it when. */
    static <T> void check(Collection<T> items, Consumer<T> check) {
        List<Optional<RuntimeException>> failures =
                items.parallelStream().map(item -> failureOf(item, check)).toList();
        failures.stream().flatMap(Optional::stream).findFirst().ifPresent(failure -> {
            throw failure;
        });
    }

    private static <T> Optional<RuntimeException> failureOf(T item, Consumer<T> check) {
        try {
            check.accept(item);
            return Optional.empty();
        } catch (RuntimeException failure) {
            return Optional.of(failure);
        }
    }
}
